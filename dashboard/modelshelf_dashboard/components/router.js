export function render({model, el}) {
  adopt(model, el)
  const write = () => {
    const {address, push} = model.place
    if (address === undefined || address === location.search) return
    history[push ? 'pushState' : 'replaceState']({}, '', location.pathname + address)
  }
  listen(model, window, 'popstate', () => model.send_msg({do: 'address', search: location.search}))
  for (const name of model.events)
    listen(model, window, name, (event) => model.send_msg({do: name, context: event.detail ?? {}}))
  model.on('place', write)
  model.on('title', () => { document.title = model.title })
  document.title = model.title
  write()
}
