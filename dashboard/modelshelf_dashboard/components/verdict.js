export function render({model, el}) {
  adopt(model, el)
  const w = model.words, dialog = document.createElement('dialog')
  dialog.innerHTML = `<header><h2></h2><button type="button" class="close" data-do="closed" data-help="verdicts" aria-label="${esc(w.close)}">✕</button></header><div class="content" tabindex="0"></div><footer></footer>`
  el.append(dialog)
  const title = dialog.querySelector('h2'), content = dialog.querySelector('.content'), foot = dialog.querySelector('footer')
  const note = (n) => `<div class="box ${esc(n.tone)}"><b>${esc(n.text)}</b>${(n.lines || []).map((line) => `<p>${esc(line)}</p>`).join('')}</div>`
  const fact = (f) => `<dt>${esc(f.name)}</dt><dd class="${f.code ? 'code' : ''}">${esc(f.when ? when(f.when) : f.value)}</dd>`
  const finding = (f) => `<li class="${esc(f.tone)}"><b>${esc(f.title)}</b><p>${esc(f.could)}</p>${f.todo ? `<p><span class="muted">${esc(w.todo)}:</span> ${esc(f.todo)}</p>` : ''}<p class="muted small">${f.where ? `${esc(w.where)}: <span class="code">${esc(f.where)}</span> · ` : ''}${esc(w.rule)}: <span class="code">${esc(f.rule)}</span></p></li>`
  const file = (f) => `<section class="file"><h4><span class="path">${esc(f.path)}</span>${f.shield ? shieldWord(f.shield) : ''}</h4>${f.note ? `<p class="muted">${esc(f.note)}</p>` : ''}${f.findings?.length ? `<ul>${f.findings.map(finding).join('')}</ul>` : ''}</section>`
  const ghosts = `<p class="hidden" role="status">${esc(w.loading)}</p><div class="ghosts" aria-hidden="true"><i></i><i></i><i></i><i></i></div>`
  const trouble = (n, state) => `<div class="box ${state === 'error' ? 'bad' : 'warn'}" role="${state === 'error' ? 'alert' : 'status'}"><b>${esc(n.text)}</b><p>${esc(n.remedy || '')}</p>${n.action ? button({help: 'verdicts', ...n.action}) : ''}</div>`
  const body = (m) => `<div class="says">${m.shield ? shieldWord(m.shield) : ''}<span class="muted">${esc(m.sub || '')}</span></div>
    ${m.lead ? `<p class="lead">${esc(m.lead)}</p>` : ''}${(m.notes || []).map(note).join('')}
    ${m.facts?.length ? `<dl>${m.facts.map(fact).join('')}</dl>` : ''}
    ${m.files?.length ? `<h3>${esc(w.files)}</h3>${m.files.map(file).join('')}` : ''}${m.left ? `<p class="muted">${esc(m.left)}</p>` : ''}`
  const buttons = (m) => {
    const whys = [...new Set((m.actions || []).map((a) => a.why).filter(Boolean))]
    const off = model.busy ? 'disabled' : ''
    return `${model.busy ? `<p class="busy" role="status">${esc(model.busy)}</p>` : ''}<div class="buttons">${(m.actions || []).map((a) => button({help: 'verdicts', ...a}, off)).join('')}</div>${whys.map((why) => `<small>${esc(why)}</small>`).join('')}`
  }
  let drawn = '', opener = () => null
  // Where the focus was, to be given back: what stands there may be drawn anew meanwhile, or be gone.
  const cameFrom = () => {
    let at = document.activeElement
    while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement
    const root = at?.getRootNode(), item = at?.closest('[data-id]'), what = at?.dataset?.do
    const within = item ? `[data-id="${CSS.escape(item.dataset.id)}"] ` : ''
    return () => at?.isConnected ? at : (what && root?.querySelector(`${within}[data-do="${CSS.escape(what)}"]`)) || root?.querySelector?.('.item[tabindex="0"]')
  }
  const put = (place, html) => {
    if (place.drawn === html) return
    const at = place.getRootNode().activeElement, held = at && place.contains(at) ? at.dataset.do : null
    place.drawn = html
    place.innerHTML = html
    if (held) (place.querySelector(`[data-do="${CSS.escape(held)}"]`) ?? content).focus()
  }
  const draw = () => {
    const state = model.state, m = model.shown
    if (state === 'closed') { if (dialog.open) { dialog.close(); opener()?.focus() } return }
    dialog.setAttribute('aria-label', m.title || '')
    dialog.setAttribute('aria-busy', state === 'loading' || !!model.busy)
    title.textContent = m.title || ''
    const told = ['error', 'stale'].includes(state) && model.note.text ? trouble(model.note, state) : ''
    put(content, state === 'loading' ? ghosts : told + (state === 'error' ? '' : body(m)))
    put(foot, state === 'loading' || state === 'error' ? '' : buttons(m))
    foot.hidden = !foot.drawn || !(m.actions?.length || model.busy)
    if (drawn !== m.id) content.scrollTop = 0
    drawn = m.id
    if (!dialog.open) {
      opener = cameFrom()
      dialog.showModal()
      content.focus({preventScroll: true})
    }
  }
  const send = (name) => {
    const action = [...(model.shown.actions || []), model.note.action].find((a) => a?.do === name)
    if (!action?.why) model.send_msg({do: name, id: model.shown.id ?? '', context: action?.context ?? {}})
  }
  dialog.onclick = (event) => {
    const b = event.target.closest('button')
    if (event.target === dialog) send('closed')
    else if (b && !b.disabled) send(b.dataset.do)
  }
  keepPresses(dialog, (b) => b.dataset.do, (b) => send(b.dataset.do))
  dialog.oncancel = (event) => { if (event.target === dialog) { event.preventDefault(); send('closed') } }
  dialog.onkeydown = (event) => event.stopPropagation()
  model.on('msg:custom', (message) => { if (message.save) keepFile(message.save) })
  model.on(['shown', 'state', 'note', 'busy'], draw)
  draw()
}
