export function render({model, el}) {
  adopt(model, el)
  const write = () => {
    const {address, push} = model.place
    if (model.embedded) return // the address and the title are the notebook's
    if (address === undefined || address === location.search) return
    history[push ? 'pushState' : 'replaceState']({}, '', location.pathname + address)
  }
  if (!model.embedded) listen(model, window, 'popstate', () => model.send_msg({do: 'address', search: location.search}))
  for (const name of model.events)
    listen(model, window, name, (event) => model.send_msg({do: name, context: event.detail ?? {}}))
  model.on('place', write)
  const entitle = () => { if (!model.embedded) document.title = model.title }
  model.on('title', entitle)
  entitle()
  write()
}
