// Refusals as receivers really word them, and what the shipped rules make of them.
#include "tests/unit/agent/settings/reply_texts.h"

using namespace postern;
using namespace postern::tests;

TEST_CASE("too much or too early, though many name our address", "[reply-rules]") {
    check(relay::ReplyMeaning::rate_limited,
          {
              "421-4.7.28 [192.0.2.1      15] Our system has detected an unusual rate of\n"
              "421-4.7.28 unsolicited mail originating from your IP address. To protect our\n"
              "421-4.7.28 users from spam, mail sent from your IP address has been temporarily\n"
              "421-4.7.28 rate limited. Please visit\n"
              "421 4.7.28 https://support.google.com/mail/?p=UnsolicitedRateLimitError to review "
              "our Bulk Email Senders Guidelines. - gsmtp",
              "421 4.7.28 Gmail has detected an unusual rate of mail originating from your DKIM "
              "domain [example.org 36]. To protect our users from spam, mail has been temporarily "
              "rate limited.",
              "421 4.7.0 This message is suspicious due to the very low reputation of the sending "
              "IP address. To protect our users from spam, mail sent from your IP address has been "
              "temporarily rate limited.",
              "421 4.7.0 Try again later, closing connection. (EHLO) - gsmtp",
              "451 4.7.650 The mail server [192.0.2.1] has been temporarily rate limited due to IP "
              "reputation. For e-mail delivery information, see https://aka.ms/postmaster (S775) "
              "[Name=Protocol Filter Agent][AGT=PFA][MxId=11BD5B61254CB1FC]",
              "451 4.7.651 The mail server [192.0.2.1] has been temporarily rate limited due to IP "
              "reputation. For e-mail delivery information, see https://postmaster.live.com "
              "(S77719)",
              "451 4.7.500 Server busy. Please try again later from [192.0.2.1]. (S77714) "
              "[AM5EUR03FT013.eop-EUR03.prod.protection.outlook.com]",
              "451 4.7.550 Access denied, please try again later "
              "[BN8NAM11FT042.eop-nam11.prod.protection.outlook.com]",
              "421 RP-001 (SNT0-MC3-F16) Unfortunately, some messages from 192.0.2.1 weren't sent. "
              "Please try again. We have limits for how many messages can be sent per hour and per "
              "day.",
              "421 RP-003 (BAY0-MC4-F3) The mail server IP connecting to Outlook.com has exceeded "
              "the connection limit allowed.",
              "450 4.7.508 Access denied, [2001:db8::1] has exceeded permitted limits; server busy",
              "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected "
              "volume or user complaints - 4.16.55.1; see "
              "https://postmaster.yahooinc.com/error-codes",
              "421 4.7.0 [TSS05] Messages from 192.0.2.1 temporarily deferred due to user "
              "complaints - 4.16.56.1",
              "421 [IPTS04] Messages from 192.0.2.1 temporarily deferred due to user complaints",
              "421 Max message per connection reached, closing transmission channel",
              "421 (DYN:T1) http://postmaster.aol.com/error-codes#421dynt1",
              "421 4.7.1 Messages to user@icloud.com deferred due to excessive volume. Try again "
              "later - https://support.apple.com/en-us/HT204137",
              "421 [HCM1] Your mail from 192.0.2.1 was deferred.",
              "451 [BS02] Temporary server error. Please try again later.",
              "421 imta03.comcast.net 192.0.2.1 Too many sessions opened. See "
              "http://postmaster.comcast.net/smtp-error-codes.php#RL000003",
              "421 mwinf5c77 ME Trop de connexions, veuillez verifier votre configuration. Too many "
              "connections, slow down. OFR004_104 [104]",
              "421 mwinf5c77 ME Service refuse. Veuillez essayer plus tard. Service refused, please "
              "try later. OFR_999 [999]",
              "421 4.2.0 Service refuse. Veuillez essayer plus tard. Service refused, please try "
              "later. LPN007_510",
              "451 IP temporarily blacklisted - https://community.mimecast.com/docs/DOC-1369#451 "
              "[abc]",
              "451 Internal resources are temporarily unavailable - "
              "https://community.mimecast.com/docs/DOC-1369#451",
              "554 Connection refused from 192.0.2.1 due to exceed max concurrent connections. "
              "IB007",
              "550 Ip frequency limited [MGsUbA== IP: 192.0.2.1]. "
              "http://service.mail.qq.com/cgi-bin/help?subtype=1",
              "550 Sender frequency limited [abc]. http://service.mail.qq.com/cgi-bin/help",
              "421 HL:ICC 163 mx22 http://mail.163.com/help/help_spam_16.htm?ip=192.0.2.1",
              "451 4.7.1 Sorry, the service is currently unavailable. Please come back later.",
              "421 4.7.0 mail.example.com Error: too many connections from 192.0.2.1",
              "421 4.7.0 mx.example.com Error: too many errors",
              "452 4.5.3 Error: too many recipients",
              "421 Your IP 192.0.2.1 is rate limited because of a bad reputation; slow down",
              "452 4.3.1 Insufficient system storage",
              "451 4.3.0 Error: queue file write error",
          });
}

TEST_CASE("too early, which says nothing of other mail", "[reply-rules]") {
    check(relay::ReplyMeaning::greylisted,
          {
              "450 4.7.1 <user@example.org>: Recipient address rejected: Greylisted, see "
              "http://postgrey.schweikert.ch/help/example.org.html",
              "451 4.7.1 Greylisting in action, please come back in 00:04:59",
              "421 4.7.1 Service unavailable; Client host [192.0.2.1] blocked using grey.rbl - "
              "Rechazo temporal, intentelo mas tarde por favor...Greylisting in action, please try "
              "again later",
              "451 4.7.1 Greylisted, please try again in 300 seconds",
              "450 4.2.0 <user@example.org>: Recipient address rejected: Greylisted for 5 minutes",
          });
}

TEST_CASE("about the message, though some name a list", "[reply-rules]") {
    check(relay::ReplyMeaning::content,
          {
              "421-4.7.0 [192.0.2.1] Our system has detected that this message is suspicious\n"
              "421-4.7.0 due to the very low reputation of the sending domain. To best protect\n"
              "421 4.7.0 our users from spam, the message has been blocked. - gsmtp",
              "421-4.7.0 [192.0.2.1] Our system has detected that this message is suspicious\n"
              "421-4.7.0 due to the nature of the content and/or the links within. To best\n"
              "421 4.7.0 protect our users from spam, the message has been blocked. - gsmtp",
              "550-5.7.1 [192.0.2.1] Our system has detected that this message is\n"
              "550-5.7.1 likely unsolicited mail. To reduce the amount of spam sent to Gmail,\n"
              "550 5.7.1 this message has been blocked. - gsmtp",
              "552-5.7.0 This message was blocked because its content presents a potential\n"
              "552 5.7.0 security issue. - gsmtp",
              "550 5.7.28 Gmail has detected an unusual rate of mail originating from your SPF "
              "domain [example.org]. Mail has been blocked.",
              "421 4.7.28 Gmail has detected an unusual rate of mail containing one of your URL "
              "domains. Mail has been rate limited.",
              "554 5.7.1 Service unavailable; Sender address [user@example.com] blocked using "
              "dbl.spamhaus.org; https://www.spamhaus.org/query/domain/example.com",
              "550 5.7.1 Your email was rejected due to having a domain present in the Spamhaus DBL "
              "-- see https://www.spamhaus.org/dbl/",
              "550 5.7.1 Service unavailable, MailFrom domain is listed in Spamhaus. To request "
              "removal from this list see https://www.spamhaus.org/query/lookup/ (S8002)",
              "554 5.7.1 Service unavailable; Client host [mail.example.com] blocked using "
              "multi.uribl.com",
              "550 A URL in this email (example.org) is listed on https://spamrl.com/. Please "
              "resolve and retry",
              "550 5.7.1 Message rejected: contains a URL listed by multi.surbl.org",
              "554 5.7.1 This message has been blocked because it contains FortiSpamshield blocking "
              "URL(s)",
              "554-Your access to this mail system has been rejected due to poor\n"
              "554 reputation of a domain used in message transfer",
              "550 5.7.1 [CS01] Message rejected due to local policy. Please visit "
              "https://support.apple.com/en-us/HT204137",
              "554 5.7.1 [HM08] Message rejected due to local policy. Please visit "
              "https://support.apple.com/en-us/HT204137",
              "554 5.7.1 (HVU:B1) http://postmaster.info.aol.com/errors/554hvub1.html",
              "554 Message not allowed - [PH01] Email not accepted for policy reasons. Please visit "
              "https://postmaster.yahooinc.com/error-codes",
              "554 Transaction failed. Reject due to policy restrictions. For explanation visit "
              "https://postmaster.gmx.net/en/error-messages?ip=192.0.2.1&c=hi",
              "550 5.7.1 Mail rejete. Mail rejected. OFR_506 [506]",
              "550 spam message rejected. Please visit http://help.mail.ru/notspam-support/id?c=abc "
              "or report details to abuse@corp.mail.ru",
              "554 5.7.1 [2] Message rejected under suspicion of SPAM; https://ya.cc/1IrBc 1519-abc",
              "550 Mail content denied [abc IP: 192.0.2.1]. "
              "http://service.mail.qq.com/cgi-bin/help?subtype=1&&id=20022&&no=1000726",
              "554 DT:SPM 163 mx10,PsCowEDpz0_abc "
              "http://mail.163.com/help/help_spam_16.htm?ip=192.0.2.1&hostid=mx10",
              "550 Administrative prohibition - envelope blocked - "
              "https://community.mimecast.com/docs/DOC-1369#550",
              "554 Email rejected due to security policies - "
              "https://community.mimecast.com/docs/DOC-1369#554",
              "550 permanent failure for one or more recipients (user@example.com:blocked)",
              "554 5.7.1 Message blocked: it looks like spam",
              "550 High probability of spam",
              "554 5.7.1 Spam message rejected",
              "550 5.7.1 Message rejected as spam by Content Filtering.",
              "552 5.7.0 Our server does not accept this kind of attachment",
              "554 rejected due to virus Eicar-Test-Signature",
              "550 5.7.1 Blacklisted by recipient",
              "550 5.7.1 TRANSPORT.RULES.RejectMessage; the message was rejected by organization "
              "policy",
              "552 5.3.4 Message size exceeds fixed limit",
              "552 message too large",
              "553 5.3.4 too big for this system",
              "550 5.6.0 something is not well formed",
          });
}

TEST_CASE("about the mailbox, though some are blocked", "[reply-rules]") {
    check(relay::ReplyMeaning::recipient,
          {
              "550-5.1.1 The email account that you tried to reach does not exist. Please try\n"
              "550-5.1.1 double-checking the recipient's email address for typos or\n"
              "550 5.1.1 unnecessary spaces. - gsmtp",
              "450-4.2.1 The user you are trying to contact is receiving mail at a rate that\n"
              "450-4.2.1 prevents additional messages from being delivered. Please resend your\n"
              "450 4.2.1 message at a later time. - gsmtp",
              "452-4.2.2 The recipient's inbox is out of storage space. Please direct the\n"
              "452 4.2.2 recipient to https://support.google.com/mail/?p=OverQuotaTemp - gsmtp",
              "550 5.4.1 Recipient address rejected: Access denied. "
              "[AM5EUR02FT019.eop-EUR02.prod.protection.outlook.com]",
              "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address "
              "lookup",
              "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required",
              "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302).",
              "554 delivery error: dd This user doesn't have a yahoo.com account (user@yahoo.com) "
              "[0] - mta1.mail.ne1.yahoo.com",
              "554 30 Sorry, your message to user@aol.jp cannot be delivered. This mailbox is "
              "disabled (554.30).",
              "552 5.2.2 <user@icloud.com>: user is over quota",
              "550 5.1.1 <user@icloud.com>: inactive email address",
              "550 5.1.1 Not our Customer",
              "550 5.5.0 Le compte du destinataire est bloque. The recipient account isblocked. "
              "LPN007_426",
              "550 5.1.1 Adresse d au moins un destinataire invalide. Invalid recipient. OFR_416 "
              "[416]",
              "552 5.1.1 Boite du destinataire pleine. Recipient overquota. OFR_417 [417]",
              "550 5.1.1 <user@example.org>: Recipient address rejected: User unknown in virtual "
              "mailbox table",
              "550 Requested action not taken: mailbox unavailable",
              "550 5.2.1 Mailbox user@example.org is blocked",
              "550 5.2.1 The user's account has been blocked by the administrator",
              "550 Invalid Recipient - https://community.mimecast.com/docs/DOC-1369#550",
              "554 5.7.1 <user@example.org>: Relay access denied",
              "550 5.7.1 Unable to relay",
              "552 5.2.2 Mailbox full",
              "550 5.1.1 something in a language we do not know",
              "450 4.2.0 try the mailbox another time",
              "550 User not found: user@163.com",
              "550 Mailbox unavailable or access denied [abc]. "
              "http://service.mail.qq.com/cgi-bin/help",
          });
}

TEST_CASE("about our names and keys, though they name our address", "[reply-rules]") {
    check(relay::ReplyMeaning::configuration,
          {
              "550-5.7.26 This mail has been blocked because the sender is unauthenticated.\n"
              "550-5.7.26 Gmail requires all senders to authenticate with either SPF or DKIM.\n"
              "550-5.7.26  Authentication results:\n"
              "550-5.7.26  DKIM = did not pass\n"
              "550-5.7.26  SPF [example.org] with ip: [192.0.2.1] = did not pass\n"
              "550 5.7.26  https://support.google.com/mail/answer/81126#authentication - gsmtp",
              "550-5.7.26 The MAIL FROM domain [example.org] has an SPF record with a hard\n"
              "550-5.7.26 fail policy (-all) but it fails to pass SPF checks with the ip:\n"
              "550 5.7.26 [192.0.2.1]. To best protect our users from spam and phishing, the "
              "message has been blocked. - gsmtp",
              "550-5.7.25 [192.0.2.1] The IP address sending this message does not have a\n"
              "550-5.7.25 PTR record setup, or the corresponding forward DNS entry does not\n"
              "550 5.7.25 match the sending IP. As a policy, Gmail does not accept messages from "
              "IPs with missing PTR records. - gsmtp",
              "550-5.7.1 [2001:db8::1] Our system has detected that this message does\n"
              "550-5.7.1 not meet IPv6 sending guidelines regarding PTR records and\n"
              "550 5.7.1 authentication. - gsmtp",
              "421 4.7.26 This mail has been rate limited because it is unauthenticated. Gmail "
              "requires all senders to authenticate with either SPF or DKIM.",
              "421 4.7.29 Your email has been rate limited because this message wasn't sent over a "
              "TLS connection. Gmail requires all bulk email senders to use TLS/SSL for SMTP "
              "connections.",
              "421 4.7.0 IP not in whitelist for RCPT domain, closing connection. - gsmtp",
              "550 5.7.515 Access denied, sending domain EXAMPLE.ORG doesn't meet the required "
              "authentication level.",
              "550 5.7.509 Access denied, sending domain example.org does not pass DMARC "
              "verification and has a DMARC policy of reject.",
              "550 5.7.25 Access denied, the sending IPv6 address [2001:db8::1] must have a reverse "
              "DNS record",
              "550 5.7.23 The message was rejected because of Sender Policy Framework violation -> "
              "550 5.7.1 SPF fail",
              "550 5.7.9 This mail has been blocked because the sender is unauthenticated. Yahoo "
              "requires all senders to authenticate with either SPF or DKIM.",
              "451 Message temporarily deferred due to unresolvable RFC.5321 from domain. See "
              "https://senders.yahooinc.com/error-codes#unresolvable-from-domain",
              "554 5.7.1 [HME1] This message was blocked for failing both SPF and DKIM "
              "authentication checks. See https://support.apple.com/en-us/HT204137",
              "554 (RTR:RD) http://postmaster.aol.com/error-codes#554rtrrd",
              "554-gmx.net (mxgmx109) Nemesis ESMTP Service not available\n"
              "554-No SMTP service\n"
              "554-Bad DNS PTR resource record.\n"
              "554 For explanation visit "
              "https://postmaster.gmx.net/en/error-messages?ip=192.0.2.1&c=rdns",
              "421 imta01.comcast.net 192.0.2.1 Reverse DNS failure: Try again later. See "
              "http://postmaster.comcast.net/smtp-error-codes.php#PTR1000000",
              "550 5.5.0 SPF: 192.0.2.1 is not allowed to send mail. LPN004_401",
              "550 SPF Sender Invalid - envelope rejected - "
              "https://community.mimecast.com/docs/DOC-1369#550",
              "550 DMARC Sender Invalid - envelope rejected - "
              "https://community.mimecast.com/docs/DOC-1369#550",
              "550 We do not accept mail from hosts with dynamic IP or generic dns PTR-records. "
              "Visit http://help.mail.ru/notspam-support/rdns?c=abc",
              "550 SPF check failed [abc IP: 192.0.2.1]. http://service.mail.qq.com/cgi-bin/help",
              "550 MI:SPF 163 mx14 http://mail.163.com/help/help_spam_16.htm?ip=192.0.2.1",
              "550 5.7.1 Your IP 192.0.2.1 is not allowed to send mail from example.org, message "
              "blocked",
              "550 5.7.1 SPF check: 192.0.2.1 is not authorized for example.org, your IP is blocked",
              "450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.1]",
              "450 4.7.1 <gw>: Helo command rejected: Host not found",
              "450 4.1.8 <user@example.org>: Sender address rejected: Domain not found",
              "550 5.1.8 the sender's domain is not known",
              "530 5.7.0 Must issue a STARTTLS command first",
              "553 This route requires encryption (TLS) - "
              "https://community.mimecast.com/docs/DOC-1369#553",
              "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using "
              "zen.spamhaus.org; Error: open resolver; "
              "https://check.spamhaus.org/returnc/pub/192.0.2.53/",
              "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using "
              "zen.spamhaus.org; Error: excessive number of queries; "
              "https://www.spamhaus.org/returnc/vol/",
              "554 5.7.1 Service unavailable; Client host [mail.example.com] blocked using "
              "multi.uribl.com; 127.0.0.1 -> Query Refused. See http://uribl.com/refused.shtml for "
              "more information [Your DNS IP: 192.0.2.53]",
          });
}

TEST_CASE("what no rule knows", "[reply-rules]") {
    check(relay::ReplyMeaning::unknown, {
                                            "550 5.7.1 Command rejected",
                                            "554 Transaction failed",
                                            "450 try again later",
                                            "500 5.5.1 Unrecognized command",
                                            "554 5.7.1 delivery not authorized",
                                            "451 4.4.2 timeout",
                                        });
}
