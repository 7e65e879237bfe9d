export function render({model, el}) {
  adopt(model, el)
  const root = document.createElement('div')
  root.className = model.aside ? 'aside' : 'row'
  root.setAttribute('role', 'tablist')
  root.setAttribute('aria-label', model.label)
  root.setAttribute('aria-orientation', model.aside ? 'vertical' : 'horizontal')
  el.append(root)
  const draw = () => {
    const had = root.contains(root.getRootNode().activeElement)
    root.innerHTML = model.views.map((v) => `<button type="button" role="tab" data-key="${esc(v.key)}"${help(v.topic)} aria-selected="${v.key === model.value}" tabindex="${v.key === model.value ? 0 : -1}">${esc(v.label)}${v.count ? `<i>${v.count.toLocaleString()}</i>` : ''}</button>`).join('')
    if (root.scrollWidth > root.clientWidth) root.querySelector('[aria-selected=true]')?.scrollIntoView({block: 'nearest', inline: 'nearest'})
    if (had) root.querySelector('[aria-selected=true]')?.focus()
  }
  const choose = (b) => { model.value = b.dataset.key; draw(); root.querySelector('[aria-selected=true]').focus() }
  root.onclick = (event) => { const b = event.target.closest('button'); if (b) choose(b) }
  keepPresses(root, (b) => b.dataset.key, choose)
  root.onkeydown = (event) => {
    const step = {ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1}[event.key]
    if (!step) return
    event.preventDefault()
    const keys = model.views.map((v) => v.key)
    model.value = keys[(keys.indexOf(model.value) + step + keys.length) % keys.length]
    draw()
    root.querySelector('[aria-selected=true]').focus()
  }
  model.on(['value', 'views'], draw)
  draw()
}
