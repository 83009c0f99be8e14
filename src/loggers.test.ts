import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { journalEntry, syslogMessage } from './loggers.ts'

test('an entry of the journal has fields with their lengths, so that a message may have lines', () => {
  const text = Buffer.from(journalEntry('runt', 'error', 'a\nb')).toString('latin1')
  assert.is(
    text,
    'MESSAGE\n\x03\0\0\0\0\0\0\0a\nb\nPRIORITY\n\x01\0\0\0\0\0\0\x003\nSYSLOG_IDENTIFIER\n\x04\0\0\0\0\0\0\0runt\n',
  )
})

test('a message of syslog has its priority before it', () => {
  const text = (level: 'warning' | 'debug') => new TextDecoder().decode(syslogMessage('box', level, 'ä'))
  assert.is(text('warning'), `<12>box[${process.pid}]: ä`)
  assert.is(text('debug'), `<15>box[${process.pid}]: ä`)
})

test.run()
