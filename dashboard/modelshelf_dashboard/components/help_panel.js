export function render({model, el}) {
  adopt(model, el)
  const w = model.words, dialog = document.createElement('dialog')
  dialog.setAttribute('aria-label', w.title)
  el.append(dialog)
  const section = (t) => `<section data-topic="${esc(t.key)}"><h3>${esc(t.title)}</h3>${t.text.split('\n').map((line) => `<p>${esc(line)}</p>`).join('')}</section>`
  const open = (key) => {
    const topic = model.topics.find((t) => t.key === key)
    dialog.innerHTML = `<header><h2>${esc(w.title)}</h2><button type="button" data-do="close" aria-label="${esc(w.close)}">✕</button></header>
      ${(topic ? [topic] : model.topics).map(section).join('')}
      ${topic ? `<p><button type="button" class="link" data-do="all">${esc(w.all)}</button></p>` : `<section><h3>${esc(w.keys)}</h3><dl>${model.keys.map((k) => `<dt>${k.keys.map((key) => `<kbd>${esc(key)}</kbd>`).join(' ')}</dt><dd>${esc(k.text)}</dd>`).join('')}</dl></section>`}`
    if (!dialog.open) dialog.showModal()
    dialog.scrollTop = 0
  }
  dialog.onclick = (event) => {
    const b = event.target.closest('button')
    if (event.target === dialog || b?.dataset.do === 'close') dialog.close()
    else if (b?.dataset.do === 'all') open('')
  }
  dialog.onkeydown = (event) => event.stopPropagation()
  // The control in focus may lie several shadow roots deep; the nearest key on the way out is its topic.
  const topicOf = (path) => path.find((node) => node.dataset?.help)?.dataset.help ?? ''
  listen(model, document, 'keydown', (event) => {
    if (event.key !== '?' || typing(event) || event.ctrlKey || event.altKey || event.metaKey || !ours(event, el)) return
    event.preventDefault()
    open(topicOf(event.composedPath()))
  })
  listen(model, window, 'ms-help', (event) => open(event.detail.topic))
}
