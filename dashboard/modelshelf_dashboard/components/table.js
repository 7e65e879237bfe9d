export function render({model, el}) {
  adopt(model, el)
  const w = model.words, root = document.createElement('div')
  root.className = 'listing'
  root.innerHTML = `<div class="note" hidden></div><div class="over"><small role="status" class="status"></small><span class="tools"></span></div><div class="menu" popover></div><div class="bar-of-picks" role="region" hidden></div><div role="grid" class="grid"><div role="rowgroup"><div role="row" class="row head"></div></div><div role="rowgroup" class="rows"></div></div><nav class="pager" hidden></nav>`
  el.append(root)
  const grid = root.querySelector('.grid'), head = root.querySelector('.head'), list = root.querySelector('.rows'), note = root.querySelector('.note'), bar = root.querySelector('.bar-of-picks')
  const tools = root.querySelector('.tools'), menu = root.querySelector('.menu'), pager = root.querySelector('.pager'), kept_columns = columnsKept(model)
  let columns = kept_columns.shown(), arriving = null
  const kept = new Map()
  let current = 0, lost = null
  // A point of -1 did not answer: the line breaks there and a mark stands at the bottom, since colour is not enough.
  const line = (cell) => {
    const points = cell.points || [], most = Math.max(1, ...points.filter((p) => p != null)), x = (i) => (i / Math.max(1, points.length - 1) * 68 + 1).toFixed(1)
    if (!points.some((p) => p != null)) return ''
    const runs = [[]]
    points.forEach((p, i) => { if (p == null) return; if (p < 0) runs.push([]); else runs.at(-1).push([x(i), (19 - p / most * 15).toFixed(1)]) })
    const drawn = runs.filter((run) => run.length).map((run) => run.length > 1 ? `<polyline points="${run.map((at) => at.join(',')).join(' ')}"/>` : `<circle cx="${run[0][0]}" cy="${run[0][1]}" r="1.4"/>`)
    const failed = points.map((p, i) => p === -1 ? `<path d="M${x(i)} 17v6"/>` : '')
    return `<svg class="line ${esc(cell.tone || '')}" viewBox="0 0 70 24" width="70" height="24" role="img" aria-label="${esc(cell.label || '')}">${drawn.join('')}${failed.join('')}</svg>`
  }
  const cellOf = (column, cell = {}, row) => {
    if (column.kind === 'fit') return cell.explains ? badge(cell.score, row.id, row.title, w) : cell.score === undefined ? '' : scoreOf(cell.score)
    if (column.kind === 'line') return `${line(cell)}<span>${esc(cell.main)}</span>`
    if (column.kind === 'progress' && cell.percent != null) return `<span class="track" data-job="${esc(cell.job)}" role="progressbar" aria-label="${esc(cell.label)}" aria-valuemin="0" aria-valuemax="100" aria-valuenow="${cell.percent}"><i style="width:${cell.percent}%"></i></span><small class="told">${esc(cell.main)}</small>`
    const moment = cell.when ? when(cell.when) : cell.main
    return `<span class="${esc(cell.tone || '')}">${esc(moment)}</span>${cell.sub ? `<small>${esc(cell.sub)}</small>` : ''}`
  }
  const chip = (c) => `<span class="chip ${esc(c.tone || '')}">${esc(c.text)}</span>`
  const tick = (row) => model.picks ? `<input type="checkbox" class="pick" data-help="batchSelection" aria-label="${esc(w.pick)}: ${esc(row.title)}" tabindex="-1">` : ''
  const rowOf = (row) => `
    <span role="gridcell" class="name">${tick(row)}${row.dot ? `<i class="dot ${esc(row.dot)}" aria-hidden="true"></i>` : ''}<span class="names"><span class="title"><b><bdi>${esc(row.title)}</bdi></b>${row.mark ? `<span class="mark" title="${esc(row.mark.tip)}">${esc(row.mark.text)}</span>` : ''}${shieldOf(row.shield, row.title)}</span>${(row.chips || []).map(chip).join('')}<small>${esc(row.sub)}${row.more ? `<span class="more"> · ${esc(row.more)}</span>` : ''}</small></span></span>
    ${columns.map((c) => `<span role="gridcell" class="cell ${c.kind} ${c.wide ? 'wide' : ''}">${cellOf(c, row.cells?.[c.key], row)}</span>`).join('')}
    <span role="gridcell" class="actions">${(row.actions || []).map((a) => button({label: `${a.word}: ${row.title}`, help: model.topic, ...a})).join('')}${model.opens ? `<button type="button" class="details" data-do="open" data-help="${esc(model.topic)}" aria-label="${esc(w.details)}: ${esc(row.title)}">${esc(w.details)}</button>` : ''}</span>`
  const make = (row) => {
    const node = document.createElement('div')
    node.setAttribute('role', 'row')
    node.className = 'row item'
    node.dataset.id = row.id
    if (model.topic) node.dataset.help = model.topic
    return node
  }
  // Only rows that differ are drawn anew: a button under the pointer must not be exchanged while it is pressed.
  const drawRows = () => {
    const ids = new Set(model.rows.map((row) => row.id))
    const at = list.getRootNode().activeElement, held = at && list.contains(at) ? {id: at.closest('.item')?.dataset.id, do: at.dataset.do} : null
    for (const [id, known] of kept) if (!ids.has(id)) { known.node.remove(); kept.delete(id) }
    list.querySelectorAll('.ghost').forEach((ghost) => ghost.remove())
    model.rows.forEach((row, i) => {
      const html = rowOf(row)
      let known = kept.get(row.id)
      if (!known) { known = {node: make(row), html: ''}; kept.set(row.id, known) }
      if (known.html !== html) { known.node.innerHTML = html; known.html = html }
      known.actions = row.actions || []
      if (list.children[i] !== known.node) list.insertBefore(known.node, list.children[i] ?? null)
    })
    current = Math.min(current, Math.max(0, model.rows.length - 1))
    mark()
    explain.again()
    // A row may be away for a moment, while sources answer: it has the focus again when it comes back.
    const wanted = held?.id ? held : document.activeElement === document.body ? lost : null
    lost = null
    if (wanted && kept.has(wanted.id)) {
      const node = kept.get(wanted.id).node
      ;((wanted.do && node.querySelector(`[data-do="${CSS.escape(wanted.do)}"]`)) || node).focus()
    } else lost = wanted
  }
  const ghosts = () => { list.innerHTML = `<div class="row ghost" aria-hidden="true"><span><i></i><i class="short"></i></span></div>`.repeat(6); kept.clear() }
  const mark = () => list.querySelectorAll('.item').forEach((node, i) => {
    const chosen = node.dataset.id === model.chosen
    node.setAttribute('aria-selected', chosen)
    node.tabIndex = i === current ? 0 : -1
    node.querySelectorAll('button,.pick').forEach((b) => { b.tabIndex = i === current ? 0 : -1 })
    const pick = node.querySelector('.pick')
    if (pick) { pick.checked = model.picked.includes(node.dataset.id); node.classList.toggle('picked', pick.checked) }
    node.querySelector('[data-do=download]')?.classList.toggle('primary', chosen)
  })
  // What is ticked stays ticked while the rows change; what is not shown any more is not counted.
  const shownPicks = () => model.rows.map((row) => row.id).filter((id) => model.picked.includes(id))
  const barred = () => {
    const all = head.querySelector('.pick'), n = shownPicks().length
    if (all) { all.checked = n > 0 && n === model.rows.length; all.indeterminate = n > 0 && n < model.rows.length }
    bar.hidden = !n || !model.bar.text
    bar.setAttribute('aria-label', w.picked)
    const html = bar.hidden ? '' : `<span role="status">${esc(model.bar.text)}</span><span class="buttons">${(model.bar.actions || []).map((a) => button({help: 'batchSelection', ...a})).join('')}${n < model.rows.length ? `<button type="button" data-do="pick-all" data-help="batchSelection">${esc(w.pickAll)}</button>` : ''}<button type="button" data-do="unpick" data-help="batchSelection">${esc(w.unpick)}</button></span>`
    if (bar.drawn !== html) { bar.innerHTML = html; bar.drawn = html }
  }
  const setPicks = (ids) => { model.picked = ids; mark(); barred() }
  const pick = (id) => setPicks(model.picked.includes(id) ? model.picked.filter((one) => one !== id) : [...model.picked, id])
  const pickAll = () => setPicks(shownPicks().length === model.rows.length ? [] : model.rows.map((row) => row.id))
  head.onclick = (event) => { if (event.target.closest('.pick')) pickAll() }
  bar.onclick = (event) => {
    const b = event.target.closest('button')
    if (b?.dataset.do === 'unpick') setPicks([])
    else if (b?.dataset.do === 'pick-all') pickAll()
    else if (b) model.send_msg({do: b.dataset.do, id: '', context: {ids: shownPicks()}})
  }
  const noted = () => {
    const n = model.note, shows = ['empty', 'error', 'stale'].includes(model.state) && n.text
    note.hidden = !shows
    note.className = `note ${model.state}`
    note.setAttribute('role', model.state === 'error' ? 'alert' : 'status')
    note.innerHTML = shows ? `<span><b>${esc(n.text)}</b> ${esc(n.remedy || '')}</span>${n.action ? button(n.action) : ''}` : ''
  }
  const waits = (one) => one.page !== undefined && (one.page !== model.pages.offset || one.first === model.rows[0]?.id)
  const draw = () => {
    const loading = model.state === 'loading'
    columns = kept_columns.shown()
    root.style.setProperty('--columns', `minmax(0,1fr) ${columns.map((c) => c.width).join(' ')} auto`)
    root.style.setProperty('--few', `minmax(0,1fr) ${columns.filter((c) => !c.wide).map((c) => c.width).join(' ')} auto`)
    grid.setAttribute('aria-label', model.label)
    grid.setAttribute('aria-busy', loading)
    put(head, `<span role="columnheader" class="name">${model.picks ? `<input type="checkbox" class="pick all" data-help="batchSelection" aria-label="${esc(w.pickAll)}">` : ''}${esc(model.heading)}</span>${columns.map((c) => `<span role="columnheader" class="${c.kind} ${c.wide ? 'wide' : ''}">${esc(c.label)}</span>`).join('')}<span role="columnheader" class="actions"><span class="hidden">${esc(w.actions)}</span></span>`)
    root.querySelector('.status').textContent = loading ? w.loading : model.status
    grid.hidden = !loading && !model.rows.length
    if (loading) ghosts()
    else drawRows()
    noted()
    barred()
    paged()
    // Scores of the page of before may be drawn while another page is asked for: the keyboard waits for that one.
    if (arriving && !loading && !waits(arriving)) { focus(arriving.at); arriving = null }
  }
  const put = (place, html) => { if (place.drawn !== html) { place.innerHTML = html; place.drawn = html } }
  const paged = () => {
    const p = model.pages
    put(pager, pagerOf(p, w))
    pager.hidden = !pager.drawn
    pager.setAttribute('aria-label', w.pager)
    put(tools, model.tools.map((t) => toolOf(t, w)).join(''))
    if (p.total) grid.setAttribute('aria-rowcount', p.total)
    else grid.removeAttribute('aria-rowcount')
  }
  const turn = (offset, where) => { arriving = {at: where === 'last' ? 1e9 : 0, page: offset, first: model.rows[0]?.id}; model.send_msg({do: 'page', id: '', context: {offset}}) }
  pager.onclick = (event) => { const b = event.target.closest('button'); if (b) { turn(Number(b.dataset.page), 'first') } }
  tools.onchange = (event) => model.send_msg({do: event.target.dataset.tool, id: '', context: {value: event.target.value}})
  tools.onclick = (event) => {
    const b = event.target.closest('button')
    if (b?.dataset.tool !== 'columns') { if (b) model.send_msg({do: b.dataset.tool, id: '', context: {}}); return }
    menu.innerHTML = model.columns.map((c) => `<label><input type="checkbox" value="${esc(c.key)}" data-help="searchFiltering" ${columns.includes(c) ? 'checked' : ''}>${esc(c.label)}</label>`).join('')
    menu.togglePopover()
    if (!menu.matches(':popover-open')) return
    const box = b.getBoundingClientRect()
    Object.assign(menu.style, {top: `${box.bottom + 4}px`, right: `${document.documentElement.clientWidth - box.right}px`, left: 'auto'})
    b.setAttribute('aria-expanded', 'true')
    menu.querySelector('input')?.focus()
  }
  menu.ontoggle = (event) => { if (event.newState === 'closed') tools.querySelector('[data-tool=columns]')?.setAttribute('aria-expanded', 'false') }
  menu.onchange = (event) => { kept_columns.toggle(event.target.value, event.target.checked); draw() }
  const focus = (i) => {
    const items = list.querySelectorAll('.item')
    if (!items.length) return
    current = Math.max(0, Math.min(items.length - 1, i))
    mark()
    items[current].focus()
    items[current].scrollIntoView({block: 'nearest'})
  }
  const indexOf = (node) => [...list.querySelectorAll('.item')].indexOf(node)
  const act = (node, name) => {
    if ([...(node?.querySelectorAll('[aria-disabled=true]') ?? [])].some((b) => b.dataset.do === name)) return
    const known = node && kept.get(node.dataset.id), action = known?.actions.find((a) => a.do === name)
    if (name.startsWith('navigate-to-')) announce(name, action?.context ?? {})
    else model.send_msg({do: name, id: node?.dataset.id ?? '', context: action?.context ?? {}})
  }
  const explain = explainer(model, el, list, (action, id) => model.send_msg({do: action.do, id, context: action.context ?? {}}))
  note.onclick = (event) => { const b = event.target.closest('button'); if (b) act(null, b.dataset.do) }
  const choose = (node, name) => {
    current = indexOf(node)
    mark()
    if (name === 'explain') explain.ask(node.dataset.id)
    else if (name && name !== 'open') act(node, name)
    else if (model.opens) model.send_msg({do: 'open', id: node.dataset.id})
  }
  // Rows may be drawn anew or move while the button is down: no click comes then, or it comes to no row. What was
  // pressed is what was meant.
  let pressed = null
  list.onpointerdown = (event) => {
    const item = event.target.closest('.item')
    pressed = item && {id: item.dataset.id, name: event.target.closest('button')?.dataset.do, target: event.target}
  }
  list.onpointerup = () => {
    if (!pressed || pressed.target.isConnected) return
    const node = kept.get(pressed.id)?.node
    if (node) choose(node, pressed.name)
    pressed = null
  }
  list.onclick = (event) => {
    const node = event.target.closest('.item') ?? kept.get(pressed?.id)?.node
    const name = event.target.closest('.item') ? event.target.closest('button')?.dataset.do : pressed?.name
    pressed = null
    if (event.target.closest('.pick')) { current = indexOf(node); pick(node.dataset.id); return }
    if (node) choose(node, name)
  }
  // Past the last row the next page begins, before the first one the page before.
  const leaves = (key) => {
    const p = model.pages, last = current === list.querySelectorAll('.item').length - 1
    if (!p.total) return false
    if (last && (key === 'ArrowDown' || key === 'PageDown') && p.offset + p.size < p.total) turn(p.offset + p.size, 'first')
    else if (current === 0 && (key === 'ArrowUp' || key === 'PageUp') && p.offset) turn(p.offset - p.size, 'last')
    else return false
    return true
  }
  list.onkeydown = (event) => {
    const step = {ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity}[event.key]
    const node = list.querySelectorAll('.item')[current], on = event.target.closest('button')
    if (event.key === ' ' && model.picks && !on && !event.target.closest('.pick')) { event.preventDefault(); pick(node.dataset.id) }
    else if (event.key === 'd' && !event.ctrlKey && !event.metaKey && !event.altKey && kept.get(node?.dataset.id)?.actions.some((a) => a.do === 'download')) { event.preventDefault(); act(node, 'download') }
    else if (step && leaves(event.key)) event.preventDefault()
    else if (step) { event.preventDefault(); focus(Number.isFinite(step) ? current + step : step < 0 ? 0 : 1e9) }
    else if (event.key === 'Enter' && !on && model.opens) model.send_msg({do: 'open', id: node.dataset.id})
    else if (event.key === 'ArrowRight' || event.key === 'ArrowLeft') {
      const buttons = [...node.querySelectorAll('button')].filter(shown), place = buttons.indexOf(on) + (event.key === 'ArrowRight' ? 1 : -1)
      event.preventDefault()
      if (place < 0) focus(current)
      else buttons[Math.min(place, buttons.length - 1)]?.focus()
    }
  }
  listen(model, window, 'ms-focus', (event) => {
    if (event.detail.what !== 'list' || !shown(root)) return
    const chosen = [...list.querySelectorAll('.item')].findIndex((node) => node.dataset.id === model.chosen)
    focus(chosen >= 0 ? chosen : current)
  })
  listen(model, window, 'ms-progress', (event) => {
    for (const job of event.detail.jobs) {
      const track = list.querySelector(`.track[data-job="${CSS.escape(job.id)}"]`)
      if (!track) continue
      track.setAttribute('aria-valuenow', job.percent)
      track.firstChild.style.width = `${job.percent}%`
      track.nextElementSibling.textContent = job.told
    }
  })
  // Several of these change at once with every key that is pressed: one drawing does for all.
  let due = false
  const soon = () => { if (!due) { due = true; queueMicrotask(() => { due = false; draw() }) } }
  model.on(['rows', 'state', 'columns', 'omitted', 'note', 'status', 'pages', 'tools'], soon)
  model.on("chosen", mark)
  model.on('arrive', () => { arriving = {at: 0}; soon() })
  model.on(['picked', 'bar'], () => { mark(); barred() })
  draw()
}
