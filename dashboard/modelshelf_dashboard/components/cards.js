export function render({model, el}) {
  adopt(model, el)
  const root = document.createElement('div')
  root.className = 'side-by-side'
  el.append(root)
  const pair = (p) => `<div class="pair ${p.stack ? 'stack' : ''}"><dt>${p.dot ? `<i class="dot ${esc(p.dot)}" aria-hidden="true"></i> ` : ''}${esc(p.name)}</dt><dd class="${esc(p.tone || '')}">${esc(p.when ? when(p.when) : p.value)}</dd></div>`
  const card = (c) => `<section data-id="${esc(c.id)}" aria-label="${esc(c.title)}"><h2>${esc(c.title)} <small>${esc(c.sub || '')}</small></h2>${c.lead ? `<p class="lead">${esc(c.lead)}</p>` : ''}${c.pairs?.length ? `<dl>${c.pairs.map(pair).join('')}</dl>` : ''}${c.text ? `<p>${esc(c.text)}</p>` : ''}${c.actions?.length ? `<div class="buttons">${c.actions.map((a) => button(a)).join('')}</div>` : ''}</section>`
  const ghost = '<section aria-busy="true"><i></i><i></i><i></i></section>'
  const draw = () => { root.innerHTML = model.cards.length ? model.cards.map(card).join('') : ghost.repeat(2) }
  const act = (b) => {
    const id = b.closest('section').dataset.id, action = model.cards.find((c) => c.id === id).actions.find((a) => a.do === b.dataset.do)
    if (b.dataset.do.startsWith('navigate-to-')) announce(b.dataset.do, action.context ?? {})
    else model.send_msg({do: b.dataset.do, id, context: action.context ?? {}})
  }
  root.onclick = (event) => { const b = event.target.closest('button'); if (b) act(b) }
  keepPresses(root, (b) => `${b.dataset.do} ${b.closest('section').dataset.id}`, act)
  model.on('cards', draw)
  model.on('reveal', () => { if (shown(root)) root.firstElementChild?.scrollIntoView({block: 'nearest', behavior: 'instant'}) })
  draw()
}
