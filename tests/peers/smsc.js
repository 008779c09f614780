// An SMSC on the npm package `smpp`: `node smsc.js GROUND_TRUTH.jsonl PARTS`. It prints its port.
//
// Its faults come by the count of the parts that it was handed, of PARTS that it expects, so that a run repeats itself:
// it cuts the session after taking a part, throttles in bursts, and reports some parts before it answers. What it took,
// and what was acknowledged to it, is in its file before anybody is told.
'use strict';
const fs = require('fs');
const smpp = require('smpp');

const PARTS = Number(process.argv[3]);
const CUT_EVERY = Math.floor(PARTS * 0.15), THROTTLE_EVERY = Math.floor(PARTS * 0.225);
const THROTTLE_BURST = 20, EARLY_EVERY = 7;
const file = fs.openSync(process.argv[2], 'a');
const receipts = new Map(); // by id: not acknowledged yet
let handed = 0, throttled = 0, lastId = 0, current = null;

const write = (event) => fs.writeSync(file, JSON.stringify(event) + '\n');

function report(id) {
  const part = receipts.get(id);
  if (!part || !current) return;
  const stat = part.to.endsWith('7') && part.seq === part.total && part.to.at(-2) === '7' ? 'UNDELIV' : 'DELIVRD';
  current.deliver_sm({
    source_addr: part.to, source_addr_ton: 1, source_addr_npi: 1, destination_addr: part.from, esm_class: 4,
    short_message: `id:${id} sub:001 dlvrd:001 submit date:2611261200 done date:2611261200 stat:${stat} err:000 text:`,
  }, (answer) => {
    if (answer.command_status === smpp.ESME_ROK && receipts.delete(id)) write({event: 'acknowledged', id, stat});
  });
}

function take(session, pdu) {
  handed += 1;
  if (handed % THROTTLE_EVERY === 0) throttled = THROTTLE_BURST;
  if (throttled > 0) {
    throttled -= 1;
    session.send(pdu.response({command_status: smpp.ESME_RTHROTTLED}));
    return;
  }
  const header = pdu.short_message.udh && pdu.short_message.udh[0];
  const [ref, total, seq] = header ? [header[2], header[3], header[4]] : [0, 1, 1];
  const id = (++lastId).toString(16).toUpperCase();
  const part = {from: pdu.source_addr, to: pdu.destination_addr, ref, total, seq};
  write({event: 'part', id, ...part, text: pdu.short_message.message, registered: pdu.registered_delivery});
  receipts.set(id, part);
  if (handed % CUT_EVERY === 0) {
    session.destroy(); // taken, and never answered
    return;
  }
  if (handed % EARLY_EVERY === 0) report(id);
  session.send(pdu.response({message_id: id}));
  if (handed % EARLY_EVERY !== 0) setTimeout(report, 20, id);
}

const server = smpp.createServer((session) => {
  session.on('bind_transceiver', (pdu) => {
    if (pdu.password !== 'secret') {
      session.send(pdu.response({command_status: smpp.ESME_RINVPASWD}));
      return;
    }
    session.send(pdu.response());
    write({event: 'bound'});
    current = session;
    for (const id of receipts.keys()) report(id); // whatever was not acknowledged comes again
  });
  session.on('submit_sm', (pdu) => take(session, pdu));
  session.on('enquire_link', (pdu) => session.send(pdu.response()));
  session.on('unbind', (pdu) => { session.send(pdu.response()); session.close(); });
  session.on('close', () => { if (current === session) current = null; });
  session.on('error', () => session.destroy());
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
