export function render({model, el}) {
  adopt(model, el)
  const w = model.words, root = document.createElement('div'), live = new Map(), kept = new Map()
  root.className = 'running'
  root.innerHTML = '<div class="jobs"></div><div class="rest"></div>'
  el.append(root)
  const list = root.firstChild, rest = root.lastChild
  const SHOWN = 2
  let source = null
  const figures = (job) => ({...job, ...(live.get(job.id) ?? {})})
  const told = (job) => {
    if (!job.total) return job.word
    const [done, total] = parts(job.done, job.total)
    const words = [fill(w.of, {done, total})]
    if (job.moving) {
      if (job.rate) words.push(rateOf(job.rate))
      if (job.eta != null) words.push(spanOf(job.eta))
    } else words.push(job.word)
    return words.join(' · ')
  }
  const percent = (job) => job.total ? Math.floor(100 * job.done / job.total) : 0
  const tick = () => {
    const jobs = model.jobs.map(figures)
    for (const job of jobs) {
      const node = kept.get(job.id)?.node
      if (!node) continue
      node.querySelector('.told').textContent = told(job)
      const bar = node.querySelector('[role=progressbar]')
      bar.setAttribute('aria-valuenow', percent(job))
      bar.firstChild.style.width = `${job.total ? 100 * job.done / job.total : 0}%`
    }
    const moving = jobs.filter((job) => job.moving)
    const etas = moving.map((job) => job.eta).filter((eta) => eta != null)
    announce('ms-progress', {
      rate: moving.reduce((sum, job) => sum + (job.rate || 0), 0),
      eta: etas.length ? Math.max(...etas) : null,
      jobs: jobs.map((job) => ({id: job.id, percent: percent(job), told: told(job), moving: job.moving, done: job.done, total: job.total, rate: job.rate, eta: job.eta})),
    })
  }
  const html = (job) => `
    <div class="line"><span class="name"><b>${esc(job.title)}</b> <small>${esc(job.detail)}</small></span><span class="told muted"></span></div>
    <div class="line"><div class="track" role="progressbar" aria-label="${esc(job.title)}" aria-valuemin="0" aria-valuemax="100"><i></i></div>
    <span class="buttons"><button type="button" data-do="${job.status === 'paused' ? 'resume' : 'pause'}" data-help="downloadProcess" aria-label="${esc(job.status === 'paused' ? w.resume : w.pause)}: ${esc(job.title)}">${esc(job.status === 'paused' ? w.resume : w.pause)}</button><button type="button" data-do="cancel" data-help="downloadProcess" aria-label="${esc(w.cancel)}: ${esc(job.title)}">${esc(w.cancel)}</button></span></div>`
  const draw = () => {
    const first = model.jobs.slice(0, SHOWN), ids = new Set(first.map((job) => job.id))
    // What a job that stands still did before says nothing of how it goes on.
    for (const id of live.keys()) if (!model.jobs.some((job) => job.id === id && job.moving)) live.delete(id)
    for (const [id, known] of kept) if (!ids.has(id)) { known.node.remove(); kept.delete(id) }
    for (const job of first) {
      const text = html(job)
      let known = kept.get(job.id)
      if (!known) {
        known = {node: document.createElement('div'), text: ''}
        known.node.className = 'job'
        known.node.dataset.id = job.id
        kept.set(job.id, known)
        list.append(known.node)
      }
      if (known.text !== text) { known.node.innerHTML = text; known.text = text }
    }
    const more = model.jobs.length - first.length + model.more
    rest.innerHTML = more > 0 ? `<small>${esc(fill(w.more, {n: more}))}</small> <button type="button" class="link" data-do="all" data-help="downloadProcess">${esc(w.all)}</button>` : ''
    root.hidden = !model.jobs.length || model.quiet
    el.parentNode?.host?.classList.toggle('idle', root.hidden)
    follow()
    tick()
  }
  const follow = () => {
    const wanted = model.events && model.jobs.length > 0
    if (wanted && !source) {
      source = new EventSource(new URL(model.events, document.baseURI))
      source.addEventListener('progress', (event) => {
        const step = JSON.parse(event.data)
        live.set(step.job, {done: step.done, total: step.total, rate: step.rate, eta: step.eta})
        tick()
      })
    } else if (!wanted && source) { source.close(); source = null }
  }
  const idOf = (b) => b.closest('.job')?.dataset.id ?? ''
  const act = (b) => model.send_msg({do: b.dataset.do, id: idOf(b)})
  root.onclick = (event) => { const b = event.target.closest('button'); if (b) act(b) }
  keepPresses(root, (b) => `${b.dataset.do} ${idOf(b)}`, act)
  model.on(['jobs', 'more', 'quiet'], draw)
  model.on('remove', () => source?.close())
  draw()
}
