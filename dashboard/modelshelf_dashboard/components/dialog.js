export function render({model, el}) {
  adopt(model, el)
  const dialog = document.createElement('dialog')
  el.append(dialog)
  const field = (f) => f.options
    ? `<label><span>${esc(f.label)}</span><select name="${esc(f.name)}">${f.options.map((o) => `<option value="${esc(o.value)}" ${o.value === f.value ? 'selected' : ''}>${esc(o.label)}</option>`).join('')}</select></label>`
    : `<label><span>${esc(f.label)}</span><input name="${esc(f.name)}" value="${esc(f.value || '')}" placeholder="${esc(f.hint || '')}" autocomplete="off" spellcheck="false"></label>`
  const draw = () => {
    const q = model.question
    if (!q.id) { if (dialog.open) dialog.close(); return }
    dialog.setAttribute('aria-label', q.title)
    dialog.innerHTML = `<form method="dialog"><h2>${esc(q.title)}</h2>${(q.lines || []).map((line) => `<p>${esc(line)}</p>`).join('')}${(q.fields || []).map(field).join('')}${q.error ? `<p class="error" role="alert">${esc(q.error)}</p>` : ''}<div class="buttons"><button type="button" data-do="dismissed" data-help="${esc(q.help || '')}">${esc(model.words.cancel)}</button><button type="submit" class="${esc(q.kind || 'primary')}" data-help="${esc(q.help || '')}">${esc(q.word)}</button></div></form>`
    if (!dialog.open) dialog.showModal()
  }
  dialog.onclick = (event) => { if (event.target.dataset?.do === 'dismissed') dialog.requestClose ? dialog.requestClose() : dialog.close() }
  dialog.onsubmit = (event) => {
    event.preventDefault()
    model.send_msg({do: 'confirmed', id: model.question.id, fields: Object.fromEntries(new FormData(event.target))})
  }
  dialog.oncancel = (event) => { event.preventDefault(); model.send_msg({do: 'dismissed', id: model.question.id}); dialog.close() }
  dialog.onkeydown = (event) => event.stopPropagation()
  model.on('question', draw)
  draw()
}
