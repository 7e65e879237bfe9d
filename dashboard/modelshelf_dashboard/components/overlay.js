export function render({model, el}) {
  adopt(model, el)
  const root = document.createElement('div')
  root.innerHTML = `<button type="button" class="opens" data-help="llmSettings">${esc(model.word)}</button><dialog aria-label="${esc(model.title)}"><header><h2>${esc(model.title)}</h2><button type="button" class="close" data-help="drawer" aria-label="${esc(model.words.close)}">✕</button></header><div class="content"></div></dialog>`
  el.append(root)
  const dialog = root.querySelector('dialog'), button = root.querySelector('.opens')
  button.hidden = !model.word
  const content = model.get_child('content')
  if (content) root.querySelector('.content').append(content)
  const draw = () => {
    if (model.open && !dialog.open) dialog.showModal()
    if (!model.open && dialog.open) dialog.close()
  }
  button.onclick = () => { model.open = true }
  root.querySelector('.close').onclick = () => { model.open = false }
  dialog.oncancel = (event) => { if (event.target === dialog) { event.preventDefault(); model.open = false } }
  model.on('open', draw)
  draw()
}
