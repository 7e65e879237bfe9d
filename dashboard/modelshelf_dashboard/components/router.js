const taken = new WeakMap()

export function render({model, el}) {
  adopt(model, el)
  // Every place is taken once, in its order: of two that come in one message Bokeh would keep only the last value.
  let asked = 0, answered = 0
  const take = (place) => {
    const {n, address, push, answers} = place
    if (n <= (taken.get(model) ?? 0)) return
    taken.set(model, n)
    // Who went back since has left where this leads to: only the answer to the last step back counts.
    if (answers === undefined ? asked !== answered : answers !== asked) return
    if (answers !== undefined) answered = answers
    if (address !== location.search) history[push ? 'pushState' : 'replaceState']({}, '', location.pathname + address)
  }
  if (!model.embedded) { // else the address and the title are the notebook's
    const follow = () => model.places.forEach(take)
    model.on('places', follow)
    follow()
    listen(model, window, 'popstate', () => model.send_msg({do: 'address', search: location.search, asked: ++asked}))
  }
  for (const name of model.events)
    listen(model, window, name, (event) => model.send_msg({do: name, context: event.detail ?? {}}))
  const entitle = () => { if (!model.embedded) document.title = model.title }
  model.on('title', entitle)
  entitle()
}
