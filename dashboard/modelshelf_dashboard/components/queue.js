export function render({model, el}) {
  adopt(model, el)
  const w = model.words, root = document.createElement('div')
  root.className = 'queue'
  root.innerHTML = '<div class="note" hidden></div><div class="sections"></div>'
  el.append(root)
  const note = root.firstChild, list = root.lastChild
  const kept = new Map(), places = new Map(), live = new Map(), speeds = new Map()
  const SPAN = 60_000, EVERY = 1000  // ms that a speed line goes back, and between its points
  const figures = (row) => row.moving ? {...row, ...(live.get(row.id) ?? {})} : row
  const share = (row) => row.total ? Math.min(100, 100 * row.done / row.total) : 0
  const told = (row) => {
    const words = []
    if (!row.track) return row.total ? bytes(row.total) : ''
    if (row.total) { const [done, total] = parts(row.done, row.total); words.push(fill(w.of, {done, total})) }
    if (row.moving) {
      if (row.rate) words.push(rateOf(row.rate))
      if (row.eta != null) words.push(fill(w.left, {time: spanOf(row.eta)}))
    }
    return words.join(' · ')
  }
  const note_speed = (id, rate) => {
    const line = speeds.get(id) ?? [], last = line.at(-1), now = Date.now()
    if (last && now - last.at < EVERY) return
    line.push({at: now, rate: rate || 0})
    speeds.set(id, line.filter((point) => now - point.at <= SPAN))
  }
  const spark = (id) => {
    const line = speeds.get(id) ?? []
    if (line.length < 2) return '<svg class="spark" width="74" height="26" viewBox="0 0 74 26" aria-hidden="true"></svg>'
    const rates = line.map((p) => p.rate), most = Math.max(1, ...rates), last = line.at(-1).at, x = (p) => (73 - (last - p.at) / SPAN * 72).toFixed(1)
    const at = line.map((p) => `${x(p)},${(24 - p.rate / most * 21).toFixed(1)}`)
    const label = fill(w.speed, {time: spanOf((line.at(-1).at - line[0].at) / 1000), low: rateOf(Math.min(...rates)), high: rateOf(most), now: rateOf(rates.at(-1))})
    return `<svg class="spark" width="74" height="26" viewBox="0 0 74 26" role="img" aria-label="${esc(label)}"><polygon points="${x(line[0])},25 ${at.join(' ')} 73,25"/><polyline points="${at.join(' ')}"/></svg>`
  }
  const press = (row) => (a) => button({label: `${a.word}: ${row.title}`, help: 'downloadProcess', ...a})
  const fileOf = (row) => (f) => `<li><span class="path" title="${esc(f.path)}">${esc(f.path)}</span><span class="track"><i style="width:${f.size ? Math.min(100, 100 * f.done / f.size) : f.done >= f.size ? 100 : 0}%"></i></span><small class="told">${esc(fill(w.of, {done: parts(f.done, f.size)[0], total: parts(f.done, f.size)[1]}))}</small><small class="word ${esc(f.tone || '')}">${esc(f.word)}</small>${f.action ? button({label: `${f.action.word}: ${f.path}`, help: 'downloadProcess', ...f.action}, `data-file="${esc(f.path)}"`) : '<span></span>'}${f.note ? `<small class="why bad">${esc(f.note)}</small>` : ''}</li>`
  const inside = (row) => !row.open || row.batch ? '' : `<div class="inside" role="group" aria-label="${esc(w.files)}: ${esc(row.title)}">
    ${row.lines?.length ? `<p>${row.lines.map((line) => `<span>${esc(line)}</span>`).join('')}</p>` : ''}${row.more?.length ? `<p class="buttons">${row.more.map(press(row)).join('')}</p>` : ''}
    ${row.files ? `<ul tabindex="0" aria-label="${esc(w.files)}: ${esc(row.title)}">${row.files.map(fileOf(row)).join('')}</ul>` : ''}${row.left ? `<small>${esc(row.left)}</small>` : ''}</div>`
  const rowOf = (row) => `<div class="line">
    <button type="button" class="fold" data-do="${row.open ? 'fold' : 'unfold'}" data-help="downloadProcess" aria-expanded="${!!row.open}" aria-label="${esc(row.open ? w.fold : w.unfold)}: ${esc(row.title)}"><svg width="10" height="10" viewBox="0 0 10 10" aria-hidden="true"><path d="M3 1l4 4-4 4" fill="none" stroke="currentColor" stroke-width="1.6"/></svg></button>
    <span class="names"><span class="title">${row.model ? `<button type="button" class="to" data-do="model" data-help="modelLibrary"><b>${esc(row.title)}</b></button>` : `<b>${esc(row.title)}</b>`}${(row.tags || []).map((tag) => `<span class="chip">${esc(tag)}</span>`).join('')}</span><small>${esc(row.sub)}</small></span>
    <span class="progress">${row.track ? `<span class="track" role="progressbar" aria-label="${esc(row.title)}" aria-valuemin="0" aria-valuemax="100"><i></i></span>` : ''}<small><span class="word ${esc(row.tone || '')}">${esc(row.word)}</span><span class="told"></span></small>${row.note ? `<small class="why">${esc(row.note)}</small>` : ''}</span>
    <span class="speed"></span>
    <span class="actions">${(row.actions || []).map(press(row)).join('')}</span></div>${inside(row)}`
  const paint = (row, node) => {
    const now = figures(row), text = told(now), bar = node.querySelector('.line [role=progressbar]')
    const words = node.querySelector('.line .told')
    if (words.textContent !== text) words.textContent = text
    if (bar) { bar.setAttribute('aria-valuenow', Math.floor(share(now))); bar.firstChild.style.width = `${share(now)}%` }
    const speed = node.querySelector('.speed')
    if (row.moving) speed.innerHTML = spark(row.id)
    else if (speed.firstChild) speed.innerHTML = ''
  }
  const drawRows = (section, place) => {
    let before = null
    for (const row of section.rows) {
      const html = rowOf(row)
      let known = kept.get(row.id)
      if (!known) {
        known = {node: document.createElement('div'), html: ''}
        known.node.dataset.id = row.id
        known.node.setAttribute('role', 'listitem')
        kept.set(row.id, known)
      }
      known.row = row
      known.node.className = `item${row.inside ? ' member' : ''}${row.batch ? ' batch' : ''}`
      if (known.html !== html) {
        const at = known.node.getRootNode().activeElement, held = at && known.node.contains(at) ? at : null
        const name = held && nameOf(held)
        known.node.innerHTML = html
        known.html = html
        if (name) [...known.node.querySelectorAll('button')].find((b) => nameOf(b) === name)?.focus()
      }
      const next = before ? before.nextSibling : place.firstChild
      if (next !== known.node) place.insertBefore(known.node, next)
      before = known.node
      paint(row, known.node)
    }
  }
  const drawSection = (section, i) => {
    let place = places.get(section.id)
    if (!place) {
      place = document.createElement('section')
      place.innerHTML = '<header><h2></h2><span class="buttons"></span></header><div class="rows" role="list"></div><p class="next"></p>'
      places.set(section.id, place)
    }
    place.dataset.section = section.id
    place.setAttribute('aria-label', section.title)
    place.querySelector('h2').innerHTML = `${esc(section.title)} <small>${esc(section.count)}</small>`
    place.querySelector('header .buttons').innerHTML = (section.actions || []).map((a) => button({help: 'downloadProcess', ...a})).join('')
    place.querySelector('.next').innerHTML = section.more ? button({do: 'more', word: section.more, help: 'downloadProcess'}) : ''
    if (list.children[i] !== place) list.insertBefore(place, list.children[i] ?? null)
    drawRows(section, place.querySelector('.rows'))
  }
  const noted = () => {
    const n = model.note, shows = ['empty', 'error'].includes(model.state) && n.text
    note.hidden = !shows
    note.className = `note ${model.state}`
    note.setAttribute('role', model.state === 'error' ? 'alert' : 'status')
    note.innerHTML = shows ? `<span><b>${esc(n.text)}</b> ${esc(n.remedy || '')}</span>${n.action ? button(n.action) : ''}` : ''
  }
  const draw = () => {
    const sections = JSON.parse(model.told), ids = new Set(sections.flatMap((s) => s.rows.map((row) => row.id))), names = new Set(sections.map((s) => s.id))
    list.setAttribute('aria-label', model.label)
    for (const [id, known] of kept) if (!ids.has(id)) { known.node.remove(); kept.delete(id) }
    for (const [id, place] of places) if (!names.has(id)) { place.remove(); places.delete(id) }
    sections.forEach(drawSection)
    list.hidden = !sections.length
    if (model.state === 'loading' && !sections.length) note.innerHTML = ''
    noted()
  }
  const tick = (jobs) => {
    const moving = new Set(jobs.filter((job) => job.moving).map((job) => job.id))
    // What stands still begins anew: its speed of before says nothing of how it goes on.
    for (const id of live.keys()) if (!moving.has(id)) { live.delete(id); speeds.delete(id) }
    for (const job of jobs) {
      if (!job.moving) continue
      live.set(job.id, {done: job.done, total: job.total, rate: job.rate, eta: job.eta})
      note_speed(job.id, job.rate)  // also of what is folded away
      const known = kept.get(job.id)
      if (known?.row.moving) paint(known.row, known.node)
    }
  }
  const nameOf = (b) => `${b.closest('.item')?.dataset.id ?? b.closest('section')?.dataset.section ?? ''} ${b.classList.contains('fold') ? 'fold' : b.dataset.do} ${b.dataset.file ?? ''}`
  const act = (b) => {
    const item = b.closest('.item'), section = b.closest('section')
    const row = item && kept.get(item.dataset.id)?.row
    const action = [...(row?.actions || []), ...(row?.more || [])].find((a) => a.do === b.dataset.do)
    if (b.dataset.do === 'model') { announce('navigate-to-model-library', {model: row.model, by: ''}); return }
    const context = b.dataset.file ? {file: b.dataset.file} : action?.context ?? {}
    model.send_msg({do: b.dataset.do, id: item?.dataset.id ?? section?.dataset.section ?? '', context})
  }
  root.onclick = (event) => { const b = event.target.closest('button'); if (b) act(b) }
  keepPresses(root, nameOf, act)
  // Up and down from row to row, as in every list of the page; Tab goes through the buttons.
  root.onkeydown = (event) => {
    const step = {ArrowDown: 1, ArrowUp: -1}[event.key], item = event.target.closest('.item')
    if (!step || !item || event.target.closest('ul')) return
    const all = [...list.querySelectorAll('.item')], next = all[all.indexOf(item) + step]
    event.preventDefault()
    if (next) { const b = next.querySelector('.fold'); b.focus(); next.scrollIntoView({block: 'nearest'}) }
  }
  listen(model, window, 'ms-progress', (event) => tick(event.detail.jobs))
  model.on('ticks', () => tick(model.ticks))
  model.on(['told', 'state', 'note'], draw)
  draw()
}
