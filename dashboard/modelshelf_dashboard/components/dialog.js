const MANY = 200  // options: beyond, a list to scroll through helps nobody

export function render({model, el}) {
  adopt(model, el)
  const w = model.words, dialog = document.createElement('dialog')
  el.append(dialog)
  const same = (text) => String(text ?? '')
  let lists = 0
  const proposals = (f) => `<datalist id="${f.listed}">${f.options.map((o) => `<option value="${esc(o.value)}">${esc(o.label)}</option>`).join('')}</datalist>`
  const options = (f, value) => {
    const known = f.options.some((o) => o.value === value)
    const all = known || !value ? f.options : [{value, label: `${value} (${w.gone})`}, ...f.options]
    const one = (o) => `<option value="${esc(o.value)}" ${o.value === value ? 'selected' : ''}>${esc(o.label)}</option>`
    const groups = [...new Set(all.map((o) => same(o.group)))]
    return groups.map((name) => { const inside = all.filter((o) => same(o.group) === name).map(one).join(''); return name ? `<optgroup label="${esc(name)}">${inside}</optgroup>` : inside }).join('')
  }
  // What every control carries: its name, what explains it, and whether it is wrong.
  const told = (f) => `${f.help || f.error ? `aria-describedby="${[f.error && `wrong-${f.name}`, f.help && `about-${f.name}`].filter(Boolean).map(esc).join(' ')}"` : ''} ${f.error ? 'aria-invalid="true"' : ''} ${f.live ? 'data-live' : ''}`
  const named = (f) => `id="field-${esc(f.name)}" name="${esc(f.name)}"`
  const typed = (f) => f.free || f.options.length > MANY
  const choice = (f, value, attributes) => typed(f)
    ? `<input list="${f.listed}" value="${esc(value)}" placeholder="${esc(f.hint || '')}" autocomplete="off" spellcheck="false" ${attributes}>`
    : `<select ${attributes}>${options(f, value)}</select>`
  const entry = (f, value, i) => `<span class="entry">${choice(f, value, `data-entry aria-label="${esc(f.label)} ${i + 1}"`)}<button type="button" data-form="drop" aria-label="${esc(fill(w.remove, {what: value || `${f.label} ${i + 1}`}))}">✕</button></span>`
  const controls = {
    select: (f) => choice(f, same(f.value), `${named(f)} ${told(f)}`) + (typed(f) ? proposals(f) : ''),
    list: (f) => `<span class="entries" data-list="${esc(f.name)}" role="group" aria-label="${esc(f.label)}" ${told(f)}>${(f.value || []).map((value, i) => entry(f, value, i)).join('')}<button type="button" data-form="add">${esc(f.add || w.add)}</button></span>${typed(f) ? proposals(f) : ''}`,
    textarea: (f) => `<textarea ${named(f)} rows="${Number(f.rows) || 4}" placeholder="${esc(f.hint || '')}" spellcheck="false" ${f.readonly ? 'readonly' : ''} ${told(f)}>\n${esc(f.value)}</textarea>${f.file || f.save ? `<span class="beside">${f.file ? `<button type="button" data-form="file">${esc(w.file)}</button><input type="file" accept="${esc(f.file)}" hidden>` : ''}${f.save ? `<button type="button" data-form="save" data-as="${esc(f.save)}">${esc(w.save)}</button>` : ''}</span>` : ''}`,
    password: (f) => `<span class="secret"><input ${named(f)} type="password" value="${esc(f.value)}" placeholder="${esc(f.hint || '')}" autocomplete="new-password" spellcheck="false" ${told(f)}><button type="button" data-form="show">${esc(w.show)}</button></span>`,
    checkbox: (f) => `<input type="checkbox" ${named(f)} ${f.value ? 'checked' : ''} ${told(f)}>`,
    number: (f) => `<input ${named(f)} type="number" inputmode="decimal" min="${esc(f.min)}" max="${esc(f.max)}" step="${esc(f.step ?? 'any')}" value="${esc(f.value)}" placeholder="${esc(f.hint || '')}" ${told(f)}>`,
    text: (f) => `<input ${named(f)} value="${esc(f.value)}" placeholder="${esc(f.hint || '')}" autocomplete="off" spellcheck="false" ${told(f)}>`,
  }
  const field = (given, kept) => {
    const kind = given.kind in controls ? given.kind : given.options ? 'select' : 'text'
    const f = {options: [], ...given, kind, listed: `proposals-${lists++}`, value: given.name in kept ? kept[given.name] : given.value}
    const label = kind === 'list' ? `<span class="label">${esc(f.label)}</span>` : `<label for="field-${esc(f.name)}">${esc(f.label)}</label>`
    const about = `${f.error ? `<small class="wrong" id="wrong-${esc(f.name)}">${esc(f.error)}</small>` : ''}${f.help ? `<small id="about-${esc(f.name)}">${esc(f.help)}</small>` : ''}`
    return `<div class="field ${kind}" data-field="${esc(f.name)}">${kind === 'checkbox' ? controls[kind](f) + label : label + controls[kind](f)}${about}</div>`
  }
  const fieldsOf = (q) => q.fields || []
  const values = () => {
    const found = {}
    for (const node of dialog.querySelectorAll('[name]')) found[node.name] = node.type === 'checkbox' ? node.checked : node.value
    for (const node of dialog.querySelectorAll('[data-list]')) found[node.dataset.list] = [...node.querySelectorAll('[data-entry]')].map((item) => item.value).filter(Boolean)
    return found
  }
  const draw = () => {
    const q = model.question
    if (!q.id) { if (dialog.open) dialog.close(); dialog.innerHTML = ''; dialog.dataset.id = ''; return }
    const again = dialog.open && dialog.dataset.id === q.id, kept = again ? values() : {}
    const at = again && dialog.getRootNode().activeElement, held = at && dialog.contains(at) ? at.closest('[data-field]')?.dataset.field : null
    const opened = again && dialog.querySelector('details')?.open, top = again ? dialog.querySelector('.content').scrollTop : 0
    const first = fieldsOf(q).filter((f) => !f.more), more = fieldsOf(q).filter((f) => f.more)
    const press = (a) => `<button type="button" class="${esc(a.kind || '')}" data-do="${esc(a.do)}"${help(a.help || q.help)} ${q.busy ? 'disabled' : ''}>${esc(a.word)}</button>`
    dialog.dataset.id = q.id
    dialog.className = fieldsOf(q).length ? 'form' : ''
    dialog.setAttribute('aria-label', q.title)
    dialog.innerHTML = `<form method="dialog" novalidate><h2>${esc(q.title)}</h2><div class="content">
      ${(q.lines || []).map((line) => `<p>${esc(line)}</p>`).join('')}${first.map((f) => field(f, kept)).join('')}
      ${more.length ? `<details ${opened || more.some((f) => f.error) ? 'open' : ''}><summary${help(q.help)}>${esc(w.more)}</summary>${more.map((f) => field(f, kept)).join('')}</details>` : ''}
      ${q.note ? `<p class="told ${esc(q.note.tone || '')}" role="status">${esc(q.note.text)}</p>` : ''}${q.busy ? `<p class="told" role="status">${esc(q.busy)}</p>` : ''}${q.error ? `<p class="told bad" role="alert">${esc(q.error)}</p>` : ''}</div>
      <div class="buttons">${(q.actions || []).map(press).join('')}<span></span><button type="button" data-do="dismissed"${help(q.help)}>${esc(q.word ? w.cancel : w.close)}</button>${q.word ? `<button type="submit" class="${esc(q.kind || 'primary')}"${help(q.help)} ${q.busy ? 'disabled' : ''}>${esc(q.word)}</button>` : ''}</div></form>`
    if (!dialog.open) dialog.showModal()
    dialog.querySelector('.content').scrollTop = top
    const wrong = fieldsOf(q).find((f) => f.error)?.name, wanted = wrong ?? held ?? (again ? null : first[0]?.name)
    const place = wanted && dialog.querySelector(`[data-field="${CSS.escape(wanted)}"]`)
    const target = place?.querySelector('input:not([hidden]),select,textarea,button')
    target?.focus()
    if (wrong) place.scrollIntoView({block: 'nearest'})
    if (!again && target?.select && !target.readOnly) target.select()
  }
  const send = (what, more = {}) => model.send_msg({do: what, id: model.question.id, ...more})
  const numbered = (list) => list.querySelectorAll('[data-entry]').forEach((node, i) => node.setAttribute('aria-label', `${list.getAttribute('aria-label')} ${i + 1}`))
  const deeds = {
    add: (b) => {
      const list = b.closest('[data-list]'), given = fieldsOf(model.question).find((f) => f.name === list.dataset.list)
      const listed = list.parentElement.querySelector('datalist')?.id, options = [{value: '', label: '—'}, ...(given.options || [])]
      b.insertAdjacentHTML('beforebegin', entry({...given, options, listed}, '', list.querySelectorAll('.entry').length))
      b.previousElementSibling.querySelector('[data-entry]').focus()
    },
    drop: (b) => { const list = b.closest('[data-list]'); b.closest('.entry').remove(); numbered(list); list.querySelector('[data-form=add]').focus() },
    file: (b) => b.nextElementSibling.click(),
    save: (b) => {
      keepFile({name: b.dataset.as, text: b.closest('.field').querySelector('textarea').value, type: 'text/plain'})
    },
    show: (b) => { const input = b.previousElementSibling, hide = input.type === 'text'; input.type = hide ? 'password' : 'text'; b.textContent = hide ? w.show : w.hide },
  }
  dialog.onclick = (event) => {
    const b = event.target.closest('button')
    if (!b) return
    if (b.dataset.form) { event.preventDefault(); deeds[b.dataset.form](b) }
    else if (b.dataset.do === 'dismissed') dialog.requestClose ? dialog.requestClose() : dismiss()
    else if (b.dataset.do) send(b.dataset.do, {fields: values()})
  }
  dialog.onchange = async (event) => {
    const node = event.target
    if (node.type === 'file') { if (node.files[0]) node.closest('.field').querySelector('textarea').value = await node.files[0].text() }
    else if ('entry' in node.dataset) node.nextElementSibling.setAttribute('aria-label', fill(w.remove, {what: node.value || node.ariaLabel}))
    else if ('live' in node.dataset) send('changed', {name: node.name, fields: values()})
  }
  dialog.onsubmit = (event) => {
    event.preventDefault()
    if (model.question.word && !model.question.busy) send('confirmed', {fields: values()})
  }
  const dismiss = () => { send('dismissed'); dialog.close() }
  dialog.oncancel = (event) => { if (event.target === dialog) { event.preventDefault(); dismiss() } }
  dialog.onkeydown = (event) => event.stopPropagation()
  model.on('question', draw)
  draw()
}
