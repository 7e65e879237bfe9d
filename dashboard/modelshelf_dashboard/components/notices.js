export function render({model, el}) {
  adopt(model, el)
  const root = document.createElement('div')
  el.append(root)
  const kept = new Map()
  const fillIn = (item) => `<span><b>${esc(item.text)}</b> ${esc(item.remedy || '')}</span><span class="buttons">${item.action ? button(item.action) : ''}${item.lasting ? '' : `<button type="button" class="dismiss" data-do="dismiss" data-help="notices" aria-label="${esc(model.words.dismiss)}">✕</button>`}</span>`
  const draw = () => {
    const ids = new Set(model.items.map((item) => item.id))
    for (const [id, known] of kept) if (!ids.has(id)) { known.node.remove(); kept.delete(id) }
    for (const [place, item] of model.items.entries()) {
      const html = fillIn(item)
      let known = kept.get(item.id)
      if (!known) {
        known = {node: document.createElement('div'), html: ''}
        known.node.dataset.id = item.id
        known.node.setAttribute('role', item.tone === 'bad' ? 'alert' : 'status')
        kept.set(item.id, known)
      }
      known.node.className = `notice ${item.tone}`
      if (known.html !== html) { known.node.innerHTML = html; known.html = html }
      if (root.children[place] !== known.node) root.insertBefore(known.node, root.children[place] ?? null)
    }
  }
  const idOf = (b) => b.closest('.notice').dataset.id
  const act = (b) => model.send_msg({do: b.dataset.do, id: idOf(b)})
  root.onclick = (event) => { const b = event.target.closest('button'); if (b) act(b) }
  keepPresses(root, (b) => `${b.dataset.do} ${idOf(b)}`, act)
  model.on('items', draw)
  draw()
}
