const PAUSE = 500 // ms

export function render({model, el}) {
  adopt(model, el)
  const w = model.words, box = document.createElement('div'), id = `proposals-${Math.random().toString(36).slice(2)}`
  box.className = 'box'
  box.innerHTML = `
    <svg width="15" height="15" viewBox="0 0 16 16" aria-hidden="true"><circle cx="6.5" cy="6.5" r="5" fill="none" stroke="currentColor" stroke-width="1.6"/><path d="M10.5 10.5 15 15" stroke="currentColor" stroke-width="1.6" stroke-linecap="round"/></svg>
    <input type="text" role="combobox" aria-expanded="false" aria-controls="${id}" aria-autocomplete="list" autocomplete="off" spellcheck="false" aria-label="${esc(model.label)}" placeholder="${esc(model.label)}" data-help="${esc(model.topic)}">
    <span class="tokens" role="list" aria-label="${esc(w.terms)}" hidden></span>
    <kbd aria-hidden="true">/</kbd>
    ${model.sheet ? `<button type="button" class="filters" data-help="searchFiltering">${esc(w.filters)}</button>` : ''}
    <ul id="${id}" role="listbox" aria-label="${esc(w.suggestions)}" hidden></ul>`
  const line = document.createElement('div')
  line.className = 'beside'
  line.append(box)
  if (model.action.do) line.insertAdjacentHTML('beforeend', button(model.action))
  line.onclick = (event) => { const b = event.target.closest('.beside>button'); if (b) model.send_msg({do: b.dataset.do}) }
  el.append(line)
  const says = document.createElement('div')
  says.className = 'says'
  says.id = `${id}-wrong`
  says.setAttribute('role', 'status')
  el.append(says)
  const input = box.querySelector('input'), tokens = box.querySelector('.tokens'), list = box.querySelector('ul')
  let at = -1, proposals = []
  const drawTokens = () => {
    tokens.innerHTML = model.tokens.map((token, i) => `<span role="listitem"><button type="button" data-i="${i}" data-help="searchFiltering" aria-label="${esc(fill(w.remove, {what: token}))}" title="${esc(fill(w.remove, {what: token}))}">${esc(token.replace(/^(is|format):/, ''))}</button></span>`).join('')
    tokens.hidden = !model.tokens.length
    const sheet = box.querySelector('.filters')
    if (sheet) sheet.textContent = model.tokens.length ? `${w.filters} · ${model.tokens.length}` : w.filters
  }
  const open = (on) => { list.hidden = !on; input.setAttribute('aria-expanded', on); if (!on) input.removeAttribute('aria-activedescendant') }
  const propose = () => {
    const word = input.value.split(' ').pop().toLowerCase()
    // What the shelf proposes was for a word of a moment ago: only what still begins so is of use.
    const told = model.proposals.filter((known) => known.toLowerCase().startsWith(word) && known.toLowerCase() !== word)
    const usual = model.known.filter((known) => known.toLowerCase().includes(word))
    proposals = word.length > 1 ? [...new Set([...told, ...usual])].filter((known) => !model.tokens.includes(known)).slice(0, 8) : []
    at = -1
    list.innerHTML = proposals.map((known, i) => `<li role="option" id="${id}-${i}" aria-selected="false">${esc(known)}</li>`).join('')
    open(proposals.length > 0)
  }
  const take = (token) => {
    const before = input.value.split(' ').slice(0, -1).join(' ')
    if (token.endsWith(':')) { input.value = `${before} ${token}`.trimStart(); model.text = input.value; propose(); input.focus(); return }
    input.value = before ? `${before} ` : ''  // the next word is typed right after it
    model.tokens = [...model.tokens, token]
    model.text = before
    drawTokens(); propose(); input.focus()
  }
  const choose = (step) => {
    at = (at + step + proposals.length) % proposals.length
    list.querySelectorAll('li').forEach((item, i) => item.setAttribute('aria-selected', i === at))
    input.setAttribute('aria-activedescendant', `${id}-${at}`)
  }
  input.oninput = () => {
    const last = input.value.split(' ')
    // A finished `key:value` becomes a token; a bare word is text, always.
    if (model.sheet && input.value.endsWith(' ') && /^-?[a-z]+:(?:[^\s"]|"[^"]*")+$/.test(last.at(-2) ?? '')) { input.value = input.value.trimEnd(); return take(last.at(-2)) }
    model.text = input.value
    propose()
  }
  input.onkeydown = (event) => {
    const down = event.key === 'ArrowDown'
    if (event.key === 'Escape') {
      event.preventDefault()
      if (!list.hidden) open(false)
      else { input.value = ''; model.text = '' }
    } else if (down && list.hidden) { event.preventDefault(); announce('ms-focus', {what: 'list'}) }
    else if ((down || event.key === 'ArrowUp') && proposals.length) { event.preventDefault(); choose(down ? 1 : -1) }
    else if (event.key === 'Enter' && at >= 0) take(proposals[at])
    else if (event.key === 'Enter') open(false)
    else if (event.key === 'Backspace' && !input.value && model.tokens.length) { model.tokens = model.tokens.slice(0, -1); drawTokens() }
  }
  input.onblur = () => open(false)
  list.onmousedown = (event) => { const item = event.target.closest('li'); if (item) { event.preventDefault(); take(item.textContent) } }
  tokens.onclick = (event) => {
    const b = event.target.closest('button')
    if (b) { model.tokens = model.tokens.filter((_, i) => i !== Number(b.dataset.i)); drawTokens(); input.focus() }
  }
  const sheet = box.querySelector('.filters')
  if (sheet) {
    sheet.onclick = () => announce('ms-sheet')
    listen(model, window, 'ms-focus', (event) => { if (event.detail.what === 'filters' && shown(sheet)) sheet.focus() })
  }
  box.addEventListener('mousedown', (event) => { if (!event.target.closest('button,input,li')) { event.preventDefault(); input.focus() } })
  listen(model, document, 'keydown', (event) => {
    if (event.key === '/' && !typing(event) && shown(box) && ours(event, el)) { event.preventDefault(); input.focus(); input.select() }
  })
  model.on('text', () => { if (input.getRootNode().activeElement !== input || !model.text) input.value = model.text })
  // Half a word makes no sense yet while it is typed: it is told when typing pauses.
  let later = 0
  const tell = () => {
    clearTimeout(later)
    const wrong = model.wrong, word = wrong.word ? `${esc(wrong.before)}<mark>${esc(wrong.word)}</mark>${esc(wrong.after)}` : ''
    const put = () => {
      input.setAttribute('aria-invalid', Boolean(wrong.text))
      if (wrong.text) input.setAttribute('aria-describedby', says.id)
      else input.removeAttribute('aria-describedby')
      says.innerHTML = wrong.text ? `${word ? `<code>${word}</code>` : ''}<b>${esc(wrong.text)}</b> ${esc(wrong.remedy)}` : ''
    }
    if (wrong.text) later = setTimeout(put, PAUSE)
    else put()
  }
  model.on('wrong', tell)
  tell()
  model.on('proposals', () => { if (input.matches(':focus') && at < 0 && input.value) propose() })
  model.on('tokens', drawTokens)
  input.value = model.text
  drawTokens()
}
