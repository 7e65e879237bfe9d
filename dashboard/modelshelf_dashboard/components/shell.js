export function render({model, el}) {
  adopt(model, el)
  const w = model.words, root = document.createElement('div')
  root.className = 'frame' + (model.embedded ? ' embedded' : '')
  const tab = (name) => `
    <div class="view" data-tab="${name}">
      <aside class="side" aria-label="${esc(name === 'library' ? w.filters : w.sections)}"></aside>
      <div class="middle"><div class="body"></div></div>
      <aside class="drawer" aria-label="${esc(w[name])}" tabindex="-1"><button type="button" class="close" aria-label="${esc(w.close)}" data-help="drawer">✕</button></aside>
    </div>`
  root.innerHTML = `<main>${tab('library')}${tab('settings')}</main><div class="overlays"></div>`
  el.append(root)
  const views = Object.fromEntries([...root.querySelectorAll('.view')].map((view) => [view.dataset.tab, view]))
  const notices = document.createElement('div'), dock = document.createElement('div')
  notices.className = 'notices'
  dock.className = 'dock'
  dock.setAttribute('role', 'region')
  dock.setAttribute('aria-label', w.dock)
  const put = (place, name) => { const child = model.get_child(name); if (child) place.append(child) }
  for (const [name, view] of Object.entries(views)) {
    put(view.querySelector('.side'), `${name}_side`)
    put(view.querySelector('.body'), `${name}_body`)
    put(view.querySelector('.drawer'), `${name}_drawer`)
  }
  put(notices, 'notices'); put(dock, 'dock'); put(root.querySelector('.overlays'), 'overlays')
  const sheet = document.createElement('div')
  sheet.className = 'done'
  sheet.innerHTML = `<button type="button" class="primary" data-help="searchFiltering">${esc(w.done)}</button>`
  views.library.querySelector('.side').append(sheet)

  const NARROW = 900
  let narrow = false
  const close = () => { model.drawer = false; show(); model.send_msg({do: 'closed'}); announce('ms-focus', {what: 'list'}) }
  let was = false, tabShown = model.tab
  const show = () => {
    for (const [name, view] of Object.entries(views)) {
      const here = name === tabShown, open = here && model.drawer && tabShown === model.tab
      view.hidden = !here
      view.classList.toggle('open', open)
      view.querySelector('.drawer').inert = !open
      view.classList.toggle('broad', open && model.wide)
      view.querySelector('.middle').inert = (open && narrow) || view.classList.contains('sheet')
    }
    const view = views[tabShown]
    view.querySelector('.middle').prepend(notices)
    view.querySelector('.middle').append(dock)
    if (model.drawer && !was && narrow) view.querySelector('.drawer').focus()
    was = model.drawer
  }
  const openSheet = (open) => {
    const view = views.library
    view.classList.toggle('sheet', open)
    show()
    if (open) view.querySelector('.side').querySelector('button,input')?.focus()
    else announce('ms-focus', {what: 'filters'})
  }
  sheet.firstChild.onclick = () => openSheet(false)
  root.querySelectorAll('.close').forEach((b) => { b.onclick = close })
  listen(model, window, 'ms-sheet', () => openSheet(!views.library.classList.contains('sheet')))
  listen(model, document, 'keydown', (event) => {
    if (event.key !== 'Escape' || event.defaultPrevented || !shown(root) || !ours(event, el)) return
    if (views.library.classList.contains('sheet')) openSheet(false)
    else if (model.drawer && !typing(event)) close()
  })
  // By its own width, not the window's: in a notebook there is more beside it.
  const measure = () => { narrow = el.clientWidth <= NARROW; show() }
  const watched = new ResizeObserver(() => { if ((el.clientWidth <= NARROW) !== narrow) measure() })
  watched.observe(el)
  model.on('remove', () => watched.disconnect())
  // The bar says which tab was pressed before the server does: nobody waits for it to switch.
  listen(model, window, 'ms-tab', (event) => { if (event.detail.beside === model.beside) { tabShown = event.detail.tab; show() } })
  model.on('tab', () => { tabShown = model.tab; show() })
  model.on(['drawer', 'wide'], show)
  measure()
}
