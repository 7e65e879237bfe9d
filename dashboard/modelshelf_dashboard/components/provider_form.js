export function render({model, el}) {
  adopt(model, el)
  const w = model.words, dialog = document.createElement('dialog')
  dialog.innerHTML = '<div class="inside"></div>'
  el.append(dialog)
  const inside = dialog.firstChild
  const topic = 'addProvider'
  const group = (name, items) => `<h3>${esc(name)}</h3><div class="kinds">${items.map((k) => `<button type="button" data-kind="${esc(k.kind)}" data-url="${esc(k.url || '')}" data-help="${topic}"><b>${esc(k.label)}</b><small>${esc(k.about)}</small></button>`).join('')}</div>`
  const list = (words) => {
    const wanted = words.toLowerCase().split(/\s+/).filter(Boolean)
    const found = model.kinds.filter((k) => wanted.every((word) => `${k.label} ${k.kind} ${k.about}`.toLowerCase().includes(word)))
    const groups = Map.groupBy ? Map.groupBy(found, (k) => k.group) : found.reduce((all, k) => all.set(k.group, [...(all.get(k.group) || []), k]), new Map())
    inside.querySelector('.all').innerHTML = found.length ? [...groups].map(([name, items]) => group(name, items)).join('') : `<p class="muted">${esc(model.kinds.length ? w.none : w.loading)}</p>`
  }
  const choose = () => {
    inside.innerHTML = `<header><h2>${esc(w.add)}</h2><button type="button" class="plain" data-do="dismissed" data-help="${topic}" aria-label="${esc(w.cancel)}">✕</button></header>
      <input class="find" type="search" aria-label="${esc(w.find)}" placeholder="${esc(w.find)}" autocomplete="off" spellcheck="false" data-help="${topic}"><div class="all"></div>`
    const find = inside.querySelector('.find')
    find.oninput = () => list(find.value)
    find.onkeydown = (event) => { if (event.key === 'Enter') { event.preventDefault(); inside.querySelector('[data-kind]')?.click() } }
    list('')
    find.focus()
  }
  const input = (f) => {
    const about = f.help ? `<small id="about-${esc(f.name)}">${esc(f.help)}</small>` : '', described = f.help ? `aria-describedby="about-${esc(f.name)}"` : ''
    const common = `name="${esc(f.name)}" data-help="${topic}" ${described}`
    if (f.kind === 'switch') return `<label class="switch"><input type="checkbox" ${common} ${f.value ? 'checked' : ''}><span>${esc(f.label)}</span>${about}</label>`
    if (f.kind === 'choice') return `<label><span>${esc(f.label)}</span><select ${common}>${f.options.map((o) => `<option value="${esc(o)}" ${o === f.value ? 'selected' : ''}>${esc(f.labels?.[o] ?? (o || '—'))}</option>`).join('')}</select>${about}</label>`
    if (f.kind === 'names') return `<label><span>${esc(f.label)}</span><textarea rows="3" spellcheck="false" ${common}>${esc((f.value || []).join('\n'))}</textarea>${about}</label>`
    const type = f.kind === 'secret' ? 'password' : f.kind === 'number' ? 'number' : 'text'
    return `<label><span>${esc(f.label)}</span><input type="${type}" value="${esc(f.value ?? '')}" placeholder="${esc(f.hint || '')}" autocomplete="${type === 'password' ? 'new-password' : 'off'}" spellcheck="false" ${common}>${about}</label>`
  }
  const fillIn = () => {
    const f = model.form, first = f.fields.filter((item) => !item.more), more = f.fields.filter((item) => item.more)
    inside.innerHTML = `<form><header><h2>${esc(f.title)}</h2><button type="button" class="plain" data-do="dismissed" data-help="${topic}" aria-label="${esc(w.cancel)}">✕</button></header>
      ${f.about ? `<p class="muted">${esc(f.about)}</p>` : ''}${first.map(input).join('')}
      ${more.length ? `<details ${more.some((item) => item.value && item.value.length !== 0) ? 'open' : ''}><summary data-help="${topic}">${esc(w.more)}</summary>${more.map(input).join('')}</details>` : ''}
      <div class="verdict" role="status" aria-live="polite"></div>
      <div class="buttons">${f.back ? `<button type="button" data-do="back" data-help="${topic}">${esc(w.back)}</button>` : ''}<span></span><button type="button" data-do="test" data-help="testProvider">${esc(w.test)}</button><button type="submit" class="primary" data-help="testProvider">${esc(w.save)}</button></div></form>`
    inside.querySelector('form').onsubmit = (event) => { event.preventDefault(); if (!model.busy) send('save') }
    told()
    const wanted = f.focus && inside.querySelector(`[name="${CSS.escape(f.focus)}"]`)
    ;(wanted || inside.querySelector('input,textarea,select'))?.focus()
  }
  const values = () => Object.fromEntries([...inside.querySelectorAll('[name]')].map((node) => [node.name, node.type === 'checkbox' ? node.checked : node.tagName === 'TEXTAREA' ? node.value.split('\n') : node.value]))
  const send = (what) => model.send_msg({do: what, values: values()})
  const told = () => {
    const place = inside.querySelector('.verdict')
    if (!place) return
    const v = model.verdict
    place.className = `verdict ${model.busy ? 'busy' : v.tone || ''}`
    place.innerHTML = model.busy ? esc(model.busy) : v.text ? `<b>${esc(v.text)}</b> ${esc(v.remedy || '')}${v.ping ? `<div><button type="button" class="link" data-do="ping" data-help="testProvider">${esc(w.ping)}</button></div>` : ''}${v.insist ? `<div><button type="button" class="link" data-do="insist" data-help="testProvider">${esc(w.insist)}</button></div>` : ''}` : ''
    for (const b of inside.querySelectorAll('.buttons button')) b.disabled = !!model.busy
    if (place.textContent) place.scrollIntoView({block: 'nearest'})
  }
  const draw = () => {
    if (!model.open) { if (dialog.open) dialog.close(); inside.innerHTML = ''; return }
    if (!dialog.open) dialog.showModal()
    dialog.setAttribute('aria-label', model.form.title || w.add)
    if (model.form.title) fillIn()
    else choose()
  }
  inside.onclick = (event) => {
    const b = event.target.closest('button')
    if (!b) return
    if (b.dataset.kind) model.send_msg({do: 'choose', kind: b.dataset.kind, url: b.dataset.url})
    else if (['test', 'ping', 'insist'].includes(b.dataset.do)) send(b.dataset.do)
    else if (b.dataset.do) model.send_msg({do: b.dataset.do})
  }
  dialog.oncancel = (event) => { event.preventDefault(); model.send_msg({do: 'dismissed'}) }
  dialog.onkeydown = (event) => event.stopPropagation()
  model.on('open', draw)
  model.on('form', () => { if (model.open) draw() })
  model.on(['verdict', 'busy'], told)
  model.on('kinds', () => { if (model.open && !model.form.title) list(inside.querySelector('.find')?.value || '') })
  draw()
}
