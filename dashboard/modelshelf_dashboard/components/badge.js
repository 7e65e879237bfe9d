// Badges: scores that explain themselves when they are asked. What they say comes from the shelf, when it is asked for.
const verdictOf = (score, w) => score == null ? w.unscored : w.verdicts.find(([least]) => score >= least)[1]
const badge = (score, id, what, w) => `<button type="button" class="badge" data-do="explain" data-badge="${esc(id)}" data-help="compatibilityScore" aria-haspopup="dialog" aria-expanded="false" aria-label="${esc(fill(w.explain, {what, score: score ?? '—', verdict: verdictOf(score, w)}))}">${scoreOf(score)}</button>`
const memoryOf = (memory, w) => {
  if (!memory?.length) return ''
  const told = memory.map((m) => [m.label, m.told].join(' ')).join(', ')
  return `<div class="memory" role="img" aria-label="${esc(`${w.memory}: ${told}`)}">${memory.map((m) => `<i style="flex:${Number(m.share)};background:var(--ms-${esc(m.colour)})"></i>`).join('')}</div>
    <div class="legend">${memory.map((m) => `<span><i style="background:var(--ms-${esc(m.colour)})"></i>${esc(m.label)} ${esc(m.told)}</span>`).join('')}</div>`
}
const HOVER = 350, LEAVE = 250, SLOW_ANSWER = 200 // ms

// One popover for all badges below `root`: it survives that they are drawn anew. `act` does what its buttons say.
const explainer = (model, el, root, act) => {
  const w = model.words, box = document.createElement('div')
  box.className = 'explained'
  box.popover = 'manual'
  box.tabIndex = -1
  box.setAttribute('role', 'dialog')
  const about = `explained-${Math.random().toString(36).slice(2)}`
  box.setAttribute('aria-describedby', about)
  el.append(box)
  let wanted = '', told = null, pinned = false, entering = 0, leaving = 0, late = 0
  const open = () => box.matches(':popover-open')
  const anchor = () => wanted === '' ? null : [...root.querySelectorAll('[data-badge]')].find((node) => node.dataset.badge === wanted)
  const better = (t) => t.fix ? `<div class="better"><span>${esc(t.fix.text)}<small>${scoreOf(t.fix.score)}</small></span>${t.fix.action ? button(t.fix.action) : ''}</div>`
    : t.pending ? `<div class="better ghost" role="status">${esc(w.looking)} …</div>` : ''
  const draw = () => {
    const t = told ?? {title: '', rows: []}, at = box.getRootNode().activeElement, held = at !== box && box.contains(at) ? at.dataset.do : null
    box.setAttribute('aria-label', t.title)
    box.setAttribute('aria-busy', !told)
    box.innerHTML = `<button type="button" class="plain" data-do="close" data-help="drawer" aria-label="${esc(w.close)}">✕</button><small class="who">${esc(t.title)}</small>` + (told
      ? `<div id="${about}"><div class="says">${scoreOf(t.score)}<b>${esc(t.verdict)}</b></div>${t.sentence ? `<p>${esc(t.sentence)}</p>` : ''}${memoryOf(t.memory, w)}
        <dl>${t.rows.map((r) => `<dt>${esc(r.name)}</dt><dd>${esc(r.value)}</dd>`).join('')}</dl></div>${t.note ? `<p class="muted">${esc(t.note)}</p>` : ''}${better(t)}
        ${t.actions?.length ? `<div class="buttons">${t.actions.map((a) => button(a)).join('')}</div>` : ''}`
      : `<p role="status">…</p>`)
    if (held) (box.querySelector(`[data-do="${CSS.escape(held)}"]`) ?? box).focus()
  }
  const place = () => {
    const from = anchor()
    if (!from || !shown(from)) return close()
    const sheet = innerWidth <= 520
    box.classList.toggle('sheet', sheet)
    if (sheet) { box.style.left = box.style.top = ''; return }
    const a = from.getBoundingClientRect(), b = box.getBoundingClientRect(), below = a.bottom + 6
    if (a.bottom < 0 || a.top > innerHeight) return close()
    const top = below + b.height <= innerHeight - 8 ? below : a.top - 6 - b.height >= 8 ? a.top - 6 - b.height : Math.max(8, innerHeight - 8 - b.height)
    box.style.left = `${Math.max(8, Math.min(a.left - 8, innerWidth - b.width - 8))}px`
    box.style.top = `${top}px`
  }
  const mark = () => root.querySelectorAll('[data-badge]').forEach((node) => node.setAttribute('aria-expanded', open() && node.dataset.badge === wanted))
  const show = () => {
    clearTimeout(late)
    draw()
    if (!open()) { follow(); box.showPopover() }
    place()
    mark()
    if (pinned && !box.contains(box.getRootNode().activeElement)) box.focus({preventScroll: true})
  }
  const close = (back = false) => {
    clearTimeout(late); clearTimeout(entering); clearTimeout(leaving)
    const from = back ? anchor() : null
    if (open()) box.hidePopover()
    wanted = ''; told = null; pinned = false
    mark()
    from?.focus()
  }
  const ask = (id, press) => {
    clearTimeout(leaving)
    if (wanted === id && open()) { if (pinned && press) return close(true); pinned ||= press; return show() }
    close()
    wanted = id
    pinned = press
    model.send_msg({do: 'explain', id})
    late = setTimeout(show, SLOW_ANSWER)
  }
  model.on('msg:custom', (message) => { if (message.explained?.id === wanted && wanted !== '') { told = message.explained; show() } })
  root.addEventListener('pointerover', (event) => {
    const over = event.pointerType === 'mouse' && event.target.closest('[data-badge]')
    if (!over || over.dataset.badge === wanted) return over ? clearTimeout(leaving) : undefined
    clearTimeout(entering)
    if (!pinned) entering = setTimeout(() => ask(over.dataset.badge, false), HOVER)
  })
  const leave = () => { clearTimeout(entering); clearTimeout(leaving); if (!pinned) leaving = setTimeout(() => close(), LEAVE) }
  root.addEventListener('pointerout', (event) => { if (event.target.closest('[data-badge]')) leave() })
  box.onpointerenter = () => clearTimeout(leaving)
  box.onpointerleave = leave
  box.onclick = (event) => {
    const pressed = event.target.closest('[data-do]'), id = wanted
    pinned = true
    if (!pressed) return
    const action = [told?.fix?.action, ...(told?.actions ?? [])].find((a) => a?.do === pressed.dataset.do)
    close(pressed.dataset.do === 'close')
    if (action) act(action, id)
  }
  keepPresses(box, (b) => b.dataset.do, (b) => b.click(), '[data-do]')
  box.onkeydown = (event) => {
    event.stopPropagation()
    if (event.key !== 'Tab') return
    const stops = [...box.querySelectorAll('button')], at = box.getRootNode().activeElement
    if (event.shiftKey ? at === stops[0] || at === box : at === stops.at(-1)) { event.preventDefault(); close(true) }
  }
  listen(model, window, 'keydown', (event) => {
    if (event.key !== 'Escape' || !open() || !ours(event, el)) return
    event.preventDefault(); event.stopPropagation()
    close(pinned)
  }, true)
  listen(model, window, 'pointerdown', (event) => {
    const path = event.composedPath()
    if (open() && !path.includes(box) && !path.includes(anchor())) close()
  }, true)
  // What scrolls may be in any shadow root around us, and nobody outside of that hears of it.
  let followed = false
  const follow = () => {
    if (followed) return
    followed = true
    const hear = (event) => { if (open() && event.target !== box) place() }
    for (let node = el.getRootNode(); ; node = node.host.getRootNode()) { listen(model, node, 'scroll', hear, true); if (!node.host) break }
  }
  listen(model, window, 'resize', () => { if (open()) place() })
  return {ask: (id) => ask(id, true), again: () => { if (wanted !== '' && open()) place(); mark() }}
}
