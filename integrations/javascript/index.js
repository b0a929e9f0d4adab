'use strict'
// Masks secrets in what a program logs.
//
//   const pino = require('pino')
//   const { pinoOptions, sanitizeLogMessage } = require('keephold-redact')
//   const log = pino({ ...pinoOptions() })
//
// A value is masked when its name says that it is secret, however short it is, when it has the format of a vendor's
// token, and when it was given in options.values. Messages, errors with their stacks and nested objects are masked too.
// The tables are generated from Keephold's rules.
const tables = require('./tables.json')

const quote = (s) => s.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
const schemes = tables.schemes.map(quote).join('|')
const literals = new Set(tables.literals)
const mask = (name) => `•••${name.replace(/^[-.]+|[-.]+$/g, '')}•••`
// A name and what stands between it and its value; the value: quoted, a scheme with what it carries, or a bare word.
const nameExpression = /([A-Za-z0-9_.\-]+)(["'`\])\s\\?+]*[=:][ \t=>(\[:~]*)/g
const valueExpression = new RegExp(
  '(\\\\["\'`])((?:(?!\\1)[^\\n])*)|(["\'`])((?:\\\\.|(?!\\3)[^\\\\\\n])*)|((?:' + schemes + ') +)?([^\\s,;"\'&)}\\]<{]+)', 'iy')
const scheme = new RegExp('^(?:' + schemes + ') ', 'i')
const bearer = /\b(bearer )([^\s,;"'&)}\]<]+)/gi
const prefixed = /\b([sr]k_(?:live|test)_)([A-Za-z0-9_.\-]+)/g
const block = /-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----|$)/g
const address = /(:\/\/[^\s:/@]*:)([^\s/@]+)(@)/g
const tokens = tables.tokens.map((t) => [t.id, new RegExp(t.pattern, t.fold ? 'gi' : 'g')])
const deepest = 32

const shortest = 6

// forms are those that a value is written in: as it is, by lines, in JSON and URLs, in hex, in base64 at all alignments.
function forms (value) {
  const raw = Buffer.from(value)
  const url = encodeURIComponent(raw.toString())
  const out = new Set([value, value.trim(), JSON.stringify(value).slice(1, -1), url, url.replace(/[!'()*]/g, (c) => '%' + c.charCodeAt(0).toString(16).toUpperCase()),
    raw.toString('hex'), raw.toString('hex').toUpperCase(), raw.toString('base64'), raw.toString('base64').replace(/\+/g, '-').replace(/\//g, '_')])
  out.add(JSON.stringify(value).slice(1, -1).replace(/[\u0080-\uffff]/g, (c) => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0')))
  const lines = value.split(/\r?\n/)
  if (lines.length > 1) for (const l of lines) if (l.trim().length >= 8 && !l.startsWith('-----')) out.add(l.trim())
  for (let skip = 0; skip < 3; skip++) { // what stands before and behind shares the characters at the edges
    const b = Buffer.concat([Buffer.alloc(skip), raw]).toString('base64').replace(/=+$/, '')
    const t = b.slice([0, 2, 3][skip], b.length - ((skip + raw.length) % 3 ? 1 : 0))
    out.add(t).add(t.replace(/\+/g, '-').replace(/\//g, '_'))
  }
  return [...out].filter((f) => f.length >= shortest)
}

function redactor (options = {}) {
  const contains = [...tables.contains, ...(options.names || []).map(flat)]
  const values = Object.entries(options.values || {}).filter(([, v]) => v.length >= shortest)
    .flatMap(([name, v]) => forms(v).map((f) => [name, f])).sort((a, b) => b[1].length - a[1].length)

  const secretName = (name) => {
    const f = flat(name)
    return contains.some((s) => f.includes(s)) || tables.ends.some((s) => f.endsWith(s))
  }

  function assignments (s) {
    const name = new RegExp(nameExpression)
    let out = ''
    let at = 0
    for (;;) {
      name.lastIndex = at
      const m = name.exec(s)
      if (!m) return out + s.slice(at)
      let v = null
      if (secretName(m[1])) {
        const value = new RegExp(valueExpression)
        value.lastIndex = name.lastIndex
        v = value.exec(s)
      }
      if (!v) { // what follows may be an assignment itself
        out += s.slice(at, m.index + m[1].length)
        at = m.index + m[1].length
        continue
      }
      out += s.slice(at, v.index) + masked(m[1], v)
      at = v.index + v[0].length
    }
  }

  function masked (name, [all, escaped, inside, plain, inner, word, bare]) {
    const q = escaped || plain
    if (q) {
      const value = escaped ? inside : inner
      if (!value || value.startsWith('•••')) return all
      const s = scheme.exec(value)
      return q + (s && value.length > s[0].length ? s[0] : '') + mask(name)
    }
    if (literals.has(bare.toLowerCase()) || bare.startsWith('•••')) return all
    return (word || '') + mask(name)
  }

  function text (s) {
    for (const [name, v] of values) s = s.split(v).join(mask(name))
    s = assignments(s.replace(block, mask('private-key')))
    s = s.replace(bearer, (all, b, v) => v.startsWith('•••') ? all : b + mask('bearer'))
    s = s.replace(prefixed, (all, p) => p + mask('key'))
    s = s.replace(address, (all, a, v, z) => v.startsWith('•••') ? all : a + mask('password') + z)
    for (const [name, re] of tokens) s = s.replace(re, mask(name))
    return s
  }

  // value masks what an object holds, without changing the object; a loop is cut.
  function value (v, name = '', seen = [], depth = 0) {
    if (name && secretName(name) && v !== null && v !== undefined && v !== '' && typeof v !== 'boolean') return mask(name)
    if (typeof v === 'string') return text(v)
    if (v === null || typeof v !== 'object') return v
    if (depth > deepest || seen.includes(v)) return '•••'
    const below = [...seen, v]
    if (v instanceof Error) {
      const out = { type: v.name, message: text(String(v.message)), stack: text(String(v.stack)) }
      for (const k of Object.keys(v)) out[k] = value(v[k], k, below, depth + 1)
      if (v.cause !== undefined) out.cause = value(v.cause, '', below, depth + 1)
      return out
    }
    if (Array.isArray(v)) return v.map((x) => value(x, '', below, depth + 1))
    if (typeof v.toJSON === 'function') return value(v.toJSON(), name, below, depth + 1)
    return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, value(x, k, below, depth + 1)]))
  }
  return { text, value, secretName }
}

const flat = (name) => String(name).toLowerCase().replace(/[_.-]/g, '')
const standard = redactor()
const sanitizeLogMessage = (message) => standard.text(String(message))

// pinoOptions masks the message with its arguments, and all fields, errors included. Bindings of child loggers pass no
// formatter, so that each line is looked at once more before it is written (pino 9 and later).
function pinoOptions (options) {
  const r = options ? redactor(options) : standard
  return {
    formatters: { log: (object) => r.value(object) },
    hooks: {
      streamWrite (line) {
        try {
          return JSON.stringify(r.value(JSON.parse(line))) + '\n'
        } catch {
          return r.text(line)
        }
      },
      logMethod (args, method) {
        return method.apply(this, args.map((a) => typeof a === 'string' ? r.text(a) : a instanceof Error ? { err: r.value(a), msg: undefined } : r.value(a)))
      }
    }
  }
}

module.exports = { redactor, sanitizeLogMessage, pinoOptions }
