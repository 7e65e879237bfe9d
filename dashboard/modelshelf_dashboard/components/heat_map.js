const WIDTH = 96, HEIGHT = 40 // px, as the figure has them

export function render({model, el}) {
  adopt(model, el)
  const w = model.words, root = document.createElement('div')
  root.className = 'compare'
  root.innerHTML = `
    <div class="tools"><div class="choices"></div><div class="as" role="group" aria-label="${esc(w.as)}">${['map', 'table'].map((name) => `<button type="button" data-as="${name}" data-help="compareFits">${esc(w[name])}</button>`).join('')}</div></div>
    <div class="note empty" role="status" hidden></div>
    <div class="shown"><small class="status" role="status"></small>
    <div class="scroll"><div class="stage"><div class="figure-under" aria-hidden="true"></div><table role="grid" aria-label="${esc(w.label)}"><thead></thead><tbody></tbody></table></div></div>
    <div class="foot"><span class="scale" aria-hidden="true"><span>${esc(w.poor)}</span><i></i><span>${esc(w.good)}</span></span><span class="said" aria-hidden="true"></span></div></div>`
  el.append(root)
  const $ = (selector) => root.querySelector(selector)
  const table = $('table'), head = $('thead'), body = $('tbody'), said = $('.said'), under = $('.figure-under')
  const figure = model.get_child('figure')
  if (figure) under.append(figure)
  let at = [0, 0], as = 'map'
  const cellAt = (row, column) => model.cells[model.rows[row]?.id]?.[model.columns[column]?.id]
  const scoreWord = (cell) => cell === undefined ? w.pending : cell.score == null ? w.none : String(cell.score)
  const told = (row, column) => {
    const cell = cellAt(row, column)
    return fill(w.cell, {row: model.rows[row].title, column: model.columns[column].title, score: scoreWord(cell), told: cell?.told ?? ''})
  }
  const mark = () => {
    at = [Math.max(0, Math.min(at[0], model.rows.length - 1)), Math.max(0, Math.min(at[1], model.columns.length - 1))]
    body.querySelectorAll('td').forEach((td) => { td.tabIndex = Number(td.dataset.row) === at[0] && Number(td.dataset.column) === at[1] ? 0 : -1 })
  }
  const node = (row, column) => body.querySelector(`td[data-row="${row}"][data-column="${column}"]`)
  const describe = (row, column) => { said.textContent = model.rows[row] && model.columns[column] ? told(row, column) : w.hint }
  const cell = (row, column) => {
    const known = cellAt(row, column), text = known === undefined ? '·' : known.score ?? '—'
    return `<td role="gridcell" data-row="${row}" data-column="${column}" data-help="compareFits" tabindex="-1" aria-label="${esc(told(row, column))}"><span>${esc(text)}</span></td>`
  }
  let before = ''
  const drawTable = () => {
    const html = model.rows.map((r, row) => `<tr><th scope="row" title="${esc(r.title)}"><b>${esc(r.title)}</b><small>${esc(r.sub)}</small></th>${model.columns.map((_, column) => cell(row, column)).join('')}</tr>`).join('')
    head.innerHTML = `<tr><th scope="col" class="corner">${esc(w.model)}</th>${model.columns.map((c) => `<th scope="col" title="${esc(c.title)}"><span>${esc(c.title)}</span></th>`).join('')}</tr>`
    if (html === before) return
    const focused = body.contains(body.getRootNode().activeElement)
    body.innerHTML = before = html
    mark()
    if (focused) node(...at)?.focus({preventScroll: true})
  }
  const drawChoices = () => {
    const held = $('.choices').contains(root.getRootNode().activeElement) ? root.getRootNode().activeElement : null
    const name = held && [held.dataset.name, held.dataset.value]
    $('.choices').innerHTML = model.choices.map((c) => c.kind === 'many'
      ? `<span class="many" role="group" aria-label="${esc(c.label)}">${c.options.map((o) => `<button type="button" data-name="${esc(c.name)}" data-value="${esc(o.value)}" aria-pressed="${c.value.includes(o.value)}" data-help="compareFits">${esc(o.label)}</button>`).join('')}</span>`
      : `<label>${esc(c.label)} <select data-name="${esc(c.name)}" data-help="compareFits">${c.options.map((o) => `<option value="${esc(o.value)}" ${o.value === c.value ? 'selected' : ''}>${esc(o.label)}</option>`).join('')}</select></label>`).join('')
    if (name) [...$('.choices').querySelectorAll('[data-name]')].find((n) => n.dataset.name === name[0] && n.dataset.value === name[1])?.focus()
  }
  const draw = () => {
    const empty = model.state === 'empty', n = model.note
    root.querySelectorAll('[data-as]').forEach((b) => b.setAttribute('aria-pressed', b.dataset.as === as))
    root.dataset.as = as
    $('.note').hidden = !empty
    $('.note').innerHTML = empty ? `<span><b>${esc(n.text)}</b>${esc(n.remedy)}</span>${n.action ? button(n.action) : ''}` : ''
    $('.shown').hidden = empty
    $('.as').hidden = empty
    $('.status').textContent = model.status
    table.setAttribute('aria-busy', model.state === 'loading')
    $('.stage').style.setProperty('--columns', model.columns.length)
    $('.scale i').style.background = `linear-gradient(90deg, ${model.ramp.map(esc).join(',')})`
    drawTable()
    if (!said.textContent) said.textContent = w.hint
  }
  const open = (row, column) => {
    if (!model.rows[row] || !model.columns[column]) return
    at = [row, column]
    mark()
    model.send_msg({do: 'open', row: model.rows[row].id, column: model.columns[column].id})
  }
  const place = (event) => {
    const box = under.getBoundingClientRect()
    return [Math.floor((event.clientY - box.top) / HEIGHT), Math.floor((event.clientX - box.left) / WIDTH)]
  }
  under.addEventListener('click', (event) => open(...place(event)))
  under.addEventListener('pointermove', (event) => describe(...place(event)))
  under.addEventListener('pointerleave', () => { said.textContent = w.hint })
  const own = (event) => { const td = event.target.closest('td'); return td && [Number(td.dataset.row), Number(td.dataset.column)] }
  table.addEventListener('click', (event) => { const td = own(event); if (td) open(...td) })
  table.addEventListener('focusin', (event) => { const td = own(event); if (td) { at = td; mark(); describe(...td) } })
  table.addEventListener('pointerover', (event) => { const td = own(event); if (td) describe(...td) })
  table.addEventListener('keydown', (event) => {
    const step = {ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1], Home: [0, -1e9], End: [0, 1e9], PageUp: [-1e9, 0], PageDown: [1e9, 0]}[event.key]
    if (event.key === 'Enter' || event.key === ' ') { event.preventDefault(); open(...at) }
    if (!step) return
    event.preventDefault()
    at = [at[0] + step[0], at[1] + step[1]]
    mark()
    const to = node(...at)
    to.focus({preventScroll: true})
    // Headings stay in sight while one scrolls: a cell below them is not in sight.
    const box = to.getBoundingClientRect(), view = $('.scroll').getBoundingClientRect(), label = $('.corner').getBoundingClientRect()
    if (box.left < label.right) $('.scroll').scrollLeft -= label.right - box.left
    else if (box.right > view.right) $('.scroll').scrollLeft += box.right - view.right
    to.scrollIntoView({block: 'nearest', inline: 'nearest'})
  })
  root.addEventListener('click', (event) => {
    const b = event.target.closest('button')
    if (b?.dataset.as) { as = b.dataset.as; draw() }
    else if (b?.dataset.name) model.send_msg({do: 'choose', name: b.dataset.name, value: b.dataset.value})
    else if (b?.dataset.do) model.send_msg({do: b.dataset.do})
  })
  root.addEventListener('change', (event) => { const s = event.target.closest('select'); if (s) model.send_msg({do: 'choose', name: s.dataset.name, value: s.value}) })
  keepPresses(root, (b) => [b.dataset.as, b.dataset.name, b.dataset.value, b.dataset.do].join(' '), (b) => b.click())
  // A canvas knows no variables: whoever paints it is told which theme is worn.
  const dark = () => {
    const scheme = getComputedStyle(root).colorScheme
    return /^(dark|light)$/.test(scheme) ? scheme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches
  }
  let worn = null
  const wearNow = () => { if (dark() !== worn) { worn = dark(); model.send_msg({do: 'theme', dark: worn}) } }
  const observer = new MutationObserver(() => requestAnimationFrame(wearNow))
  observer.observe(document.documentElement, {attributeFilter: ['data-ms', 'style', 'class']})
  observer.observe(document.body, {attributeFilter: ['data-jp-theme-light']})
  model.on('remove', () => observer.disconnect())
  // The figure is for eyes and pointers; its one place in the order of Tab would say nothing to anyone.
  const quiet = (node) => {
    for (const inner of node.querySelectorAll('*')) {
      if (inner.tabIndex >= 0) inner.tabIndex = -1
      if (inner.shadowRoot) quiet(inner.shadowRoot)
    }
  }
  const sized = new ResizeObserver(() => quiet(under))
  sized.observe(under)
  model.on('remove', () => sized.disconnect())
  requestAnimationFrame(wearNow)
  model.on(['rows', 'columns', 'cells', 'state', 'note', 'status', 'ramp'], draw)
  model.on('choices', drawChoices)
  drawChoices()
  draw()
}
