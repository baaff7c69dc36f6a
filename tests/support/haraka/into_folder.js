'use strict';
// Takes mail for everybody and writes it into a maildir, the envelope into a file of the same name beside it.
const fs = require('node:fs');
const path = require('node:path');

exports.register = function () {
    this.folder = this.config.get('into_folder');
    this.register_hook('lookup_rdns', 'no_look_up');
    this.register_hook('rcpt', 'take_recipient');
    this.register_hook('queue', 'write_message');
};

exports.no_look_up = (next) => next(OK, 'client.example');
exports.take_recipient = (next) => next(OK);

exports.write_message = function (next, connection) {
    const { transaction } = connection;
    const folder = this.folder;
    const unfinished = path.join(folder, 'tmp', transaction.uuid);
    const out = fs.createWriteStream(unfinished);
    out.on('error', (fault) => next(DENYSOFT, fault.message));
    out.on('close', () => {
        fs.writeFileSync(path.join(folder, 'envelopes', transaction.uuid), JSON.stringify({
            tls: connection.tls.enabled,
            from: transaction.mail_from.address(),
            to: transaction.rcpt_to.map((recipient) => recipient.address()),
        }));
        fs.renameSync(unfinished, path.join(folder, 'new', transaction.uuid));
        next(OK);
    });
    transaction.message_stream.pipe(out, { line_endings: '\r\n' });
};
