export function render({model, el}) {
  adopt(model, el)
  const w = model.words, box = document.createElement(model.inline ? 'section' : 'dialog')
  box.setAttribute('aria-label', w.title)
  box.innerHTML = `<header><h2>${esc(w.title)}</h2><span class="buttons"></span></header><ul></ul><p class="left muted"></p>`
  el.append(box)
  const list = box.querySelector('ul'), kept = new Map()
  const entry = (item) => `<i class="dot ${esc(item.dot)}" aria-hidden="true"></i><span class="told"><b>${esc(item.title)}</b> <span class="${esc(item.tone)}">${esc(item.word)}</span>${item.when ? ` <small>${esc(when(item.when))}</small>` : ''}${item.text ? `<small class="text">${esc(item.text)}</small>` : ''}</span>
    <span class="buttons">${item.action ? button({label: `${item.action.word}: ${item.title}`, help: 'news', ...item.action}) : ''}<button type="button" class="seen" data-do="seen" data-help="news" aria-label="${esc(w.seen)}: ${esc(item.title)}" title="${esc(w.seen)}">✓</button></span>`
  const draw = () => {
    box.querySelector('header .buttons').innerHTML = `${model.items.length ? `<button type="button" data-do="seen-all" data-help="news">${esc(w.all)}</button>` : ''}${model.inline ? '' : `<button type="button" class="close" data-do="close" data-help="news" aria-label="${esc(w.close)}">✕</button>`}`
    const ids = new Set(model.items.map((item) => item.id)), held = box.contains(box.getRootNode().activeElement)
    for (const [id, known] of kept) if (!ids.has(id)) { known.node.remove(); kept.delete(id) }
    list.querySelector('.none')?.remove()
    model.items.forEach((item, i) => {
      const html = entry(item)
      let known = kept.get(item.id)
      if (!known) { known = {node: document.createElement('li'), html: ''}; known.node.dataset.id = item.id; kept.set(item.id, known) }
      if (known.html !== html) { known.node.innerHTML = html; known.html = html }
      if (list.children[i] !== known.node) list.insertBefore(known.node, list.children[i] ?? null)
    })
    if (!model.items.length) list.innerHTML = `<li class="none"><span><b>${esc(w.none)}</b> <small>${esc(w.about)}</small></span></li>`
    box.querySelector('.left').textContent = model.left
    if (held && !box.contains(box.getRootNode().activeElement)) box.querySelector('button')?.focus()
  }
  const act = (b) => {
    const id = b.closest('li')?.dataset.id ?? '', item = model.items.find((one) => one.id === id)
    if (b.dataset.do === 'close') { box.close(); return }
    model.send_msg({do: b.dataset.do, id, context: item?.action?.context ?? {}})
    if (!model.inline && b.dataset.do !== 'seen' && b.dataset.do !== 'retry') box.close()
  }
  box.onclick = (event) => {
    const b = event.target.closest('button')
    if (b) act(b)
    else if (event.target === box && !model.inline) box.close()
  }
  keepPresses(box, (b) => `${b.dataset.do} ${b.closest('li')?.dataset.id ?? ''}`, act)
  if (!model.inline) {
    box.onkeydown = (event) => event.stopPropagation()
    listen(model, window, 'ms-news', () => { if (!box.open) box.showModal() })
  }
  model.on(['items', 'left'], draw)
  draw()
}
