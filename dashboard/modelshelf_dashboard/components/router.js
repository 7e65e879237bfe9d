export function render({model, el}) {
  adopt(model, el)
  const write = () => {
    if (model.address === location.search || (!model.address && !location.search)) return
    history[model.push ? 'pushState' : 'replaceState']({}, '', location.pathname + model.address)
  }
  listen(model, window, 'popstate', () => model.send_msg({do: 'address', search: location.search}))
  for (const name of model.events)
    listen(model, window, name, (event) => model.send_msg({do: name, context: event.detail ?? {}}))
  model.on('address', write)
  model.on('title', () => { document.title = model.title })
  document.title = model.title
  write()
}
