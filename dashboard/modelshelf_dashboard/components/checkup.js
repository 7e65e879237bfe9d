export function render({model, el}) {
  adopt(model, el)
  const w = model.words, root = document.createElement('section')
  root.setAttribute('aria-label', w.label)
  root.innerHTML = '<div class="line"><div class="said" role="status"></div><div class="buttons"></div></div><div class="progress" hidden></div><ul hidden></ul><p class="muted left" hidden></p><p class="muted whys" hidden></p>'
  el.append(root)
  const part = (name) => root.querySelector(name)
  const put = (place, html) => {
    if (place.drawn !== html) {
      const at = place.getRootNode().activeElement, held = at && place.contains(at)
      place.drawn = html
      place.innerHTML = html
      if (held) place.querySelector('button')?.focus()
    }
    place.hidden = !html
  }
  const trouble = (t) => `<li><span><b>${esc(t.title)}</b> <span class="${esc(t.tone)}">${esc(t.word)}</span><small>${esc(t.text)}</small></span>${t.id ? `<button type="button" data-do="open" data-id="${esc(t.id)}" data-help="verifyEverything" aria-label="${esc(w.open)}: ${esc(t.title)}">${esc(w.open)}</button>` : ''}</li>`
  const draw = () => {
    const m = model.shown, share = m.total ? Math.min(100, Math.floor(100 * m.done / m.total)) : 0
    root.hidden = !m.text
    root.className = m.tone || ''
    const whys = [...new Set((m.actions || []).map((a) => a.why).filter(Boolean))]
    put(part('.said'), `<b>${esc(m.text)}</b>${m.sub ? ` <small>${esc(m.sub)}</small>` : ''}`)
    put(part('.buttons'), (m.actions || []).map((a) => button({help: 'verifyEverything', ...a})).join(''))
    const bar = part('.progress')
    if (m.total && !bar.firstChild) bar.innerHTML = `<span class="track" role="progressbar" aria-label="${esc(w.label)}" aria-valuemin="0" aria-valuemax="100"><i></i></span><small></small>`
    bar.hidden = !m.total
    if (m.total) {
      bar.querySelector('.track').setAttribute('aria-valuenow', share)
      bar.querySelector('i').style.width = `${share}%`
      bar.querySelector('small').textContent = m.told || ''
    }
    put(part('ul'), (m.troubles || []).map(trouble).join(''))
    put(part('.left'), esc(m.left || ''))
    put(part('.whys'), whys.map(esc).join(' '))
  }
  const act = (b) => { if (!isWithheld(b)) model.send_msg({do: b.dataset.do, id: b.dataset.id ?? ''}) }
  root.onclick = (event) => { const b = event.target.closest('button'); if (b) act(b) }
  keepPresses(root, (b) => `${b.dataset.do} ${b.dataset.id ?? ''}`, act)
  model.on('msg:custom', (message) => { if (message.save) keepFile(message.save) })
  model.on('shown', draw)
  draw()
}
