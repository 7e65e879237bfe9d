export function render({model, el}) {
  adopt(model, el)
  const w = model.words, root = document.createElement('section')
  root.setAttribute('aria-label', w.label)
  root.tabIndex = 0
  el.append(root)
  const press = (m, a) => button({help: 'compareFits', label: `${a.word}: ${m.title}`, ...a}, `data-id="${esc(m.id)}"`)
  const head = (m) => `<th scope="col"><button type="button" class="drop" data-do="drop" data-id="${esc(m.id)}" data-help="compareFits" aria-label="${esc(fill(w.drop, {what: m.title}))}">×</button><button type="button" class="link title" data-do="open" data-id="${esc(m.id)}" data-help="modelLibrary">${esc(m.title)}</button><small>${esc(m.sub)}</small></th>`
  const value = (v) => v == null ? '<td class="ghost"><i></i></td>' : `<td>${v.score === undefined ? esc(v.main) : scoreOf(v.score)}${v.score !== undefined && v.main ? ` <small>${esc(v.main)}</small>` : ''}</td>`
  const same = (values) => values.length > 1 && values.every((v) => v && v.main === values[0]?.main && v.score === values[0]?.score)
  const draw = () => {
    const at = root.getRootNode().activeElement, held = at && root.contains(at) ? [at.dataset.do, at.dataset.id] : null
    root.innerHTML = !model.models.length ? '' : `<table class="beside-table"><thead><tr><th scope="col"><span class="hidden">${esc(w.fact)}</span></th>${model.models.map(head).join('')}</tr></thead>
      <tbody>${model.facts.map((f) => `<tr class="${same(f.values) ? 'same' : ''}"><th scope="row">${esc(f.label)}</th>${f.values.map(value).join('')}</tr>`).join('')}
      <tr><th scope="row"><button type="button" data-do="clear" data-help="compareFits">${esc(w.clear)}</button></th>${model.models.map((m) => `<td>${(m.actions || []).map((a) => press(m, a)).join('')}</td>`).join('')}</tr></tbody></table>`
    if (held) [...root.querySelectorAll('[data-do]')].find((b) => b.dataset.do === held[0] && b.dataset.id === held[1])?.focus()
  }
  const act = (b) => {
    const found = model.models.find((m) => m.id === b.dataset.id), action = found?.actions?.find((a) => a.do === b.dataset.do)
    model.send_msg({do: b.dataset.do, id: b.dataset.id ?? '', context: action?.context ?? {}})
  }
  root.onclick = (event) => { const b = event.target.closest('button'); if (b) act(b) }
  keepPresses(root, (b) => `${b.dataset.do} ${b.dataset.id ?? ''}`, act)
  let due = false
  model.on(['models', 'facts'], () => { if (!due) { due = true; queueMicrotask(() => { due = false; draw() }) } })
  draw()
}
