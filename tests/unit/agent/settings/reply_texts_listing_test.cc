// Refusals of our address as receivers really word them, and what the shipped rules make of them.
#include "tests/unit/agent/settings/reply_texts.h"

using namespace postern;
using namespace postern::tests;

TEST_CASE("an address that one site refuses", "[reply-rules]") {
    check(relay::ReplyMeaning::listed,
          {
              "550-5.7.1 [192.0.2.1      12] Our system has detected an unusual rate of\n"
              "550-5.7.1 unsolicited mail originating from your IP address. To protect our\n"
              "550-5.7.1 users from spam, mail sent from your IP address has been blocked.\n"
              "550-5.7.1 Please visit\n"
              "550 5.7.1 https://support.google.com/mail/?p=UnsolicitedIPError to review our Bulk "
              "Email Senders Guidelines. u66si15473913qki.107 - gsmtp",
              "550 5.7.28 There is an unusual rate of unsolicited mail originating from your IP "
              "address. To protect our users from spam, mail sent from your IP address has been "
              "blocked.",
              "550-5.7.1 [192.0.2.22] Our system has detected that this message is likely "
              "suspicious\n"
              "550-5.7.1 due to the very low reputation of the sending IP address. To best protect\n"
              "550 5.7.1 our users from spam, the message has been blocked. - gsmtp",
              "550-5.7.1 [192.0.2.1] The IP you're using to send mail is not authorized to\n"
              "550-5.7.1 send email directly to our servers. Please use the SMTP relay at your\n"
              "550 5.7.1 service provider instead. - gsmtp",
              "550 5.7.606 Access denied, banned sending IP [192.0.2.1]. To request removal from "
              "this list please visit https://sender.office.com/ and follow the directions. "
              "(AS16012609) [DB5EUR01FT031.eop-EUR01.prod.protection.outlook.com]",
              "550 5.7.649 Access denied, banned sending IP [192.0.2.1]. For more information "
              "please go to http://go.microsoft.com/fwlink/?LinkID=526655 AS(1410)",
              "550 5.7.511 Access denied, banned sender[192.0.2.1]. To request removal from this "
              "list please forward this message to delist@messaging.microsoft.com. AS(508)",
              "550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Please contact your "
              "Internet service provider since part of their network is on our block list (S3150). "
              "You can also refer your provider to "
              "http://mail.live.com/mail/troubleshooting.aspx#errors. "
              "[DB3EUR04FT007.eop-eur04.prod.protection.outlook.com]",
              "550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. For more "
              "information, please go to http://go.microsoft.com/fwlink/?LinkID=526655 (S3140)",
              "550 SC-001 (COL004-MC1F10) Unfortunately, messages from 192.0.2.1 weren't sent. "
              "Please contact your Internet service provider since part of their network is on our "
              "block list.",
              "550 DY-001 (SNT004-MC1F5) Unfortunately, messages from 192.0.2.1 weren't sent: you "
              "are using a dynamic IP range.",
              "550 OU-001 (BAY004-MC2F7) Unfortunately, messages from 192.0.2.1 weren't sent.",
              "550 5.7.513 Service unavailable, Client host [192.0.2.1] blocked by example.com "
              "using Customer Block list (AS16012607)",
              "550 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using FBLW15; To "
              "request removal from this list please forward this message to "
              "delist@messaging.microsoft.com",
              "550 5.7.510 Access denied, [contoso.com] does not accept email over IPv6",
              "553 5.7.2 [TSS09] All messages from 192.0.2.25 will be permanently deferred; "
              "Retrying will NOT succeed. See https://postmaster.yahooinc.com/error-codes",
              "553 5.7.2 [TSS11] All messages from 192.0.2.25 will be permanently deferred; "
              "Retrying will NOT succeed. See https://postmaster.yahooinc.com/error-codes",
              "421 4.7.1 [TS03] All messages from 192.0.2.25 will be permanently deferred; Retrying "
              "will NOT succeed. See http://postmaster.yahoo.com/421-ts03.html",
              "553 Mail from 192.0.2.1 not allowed - VS98-IP0 deferred - see "
              "http://www.yahoo-help.jp/",
              "554 5.7.1 (RTR:BL) http://postmaster.info.aol.com/errors/554rtrbl.html",
              "554 (CON:B1) http://postmaster.aol.com/error-codes#554conb1",
              "550 5.7.0 Blocked - see https://support.proofpoint.com/dnsbl-lookup.cgi?ip=192.0.2.1",
              "554 Blocked - see https://ipcheck.proofpoint.com/?ip=192.0.2.1",
              "554 resimta-po-11v.sys.comcast.net resimta-po-11v.sys.comcast.net 192.0.2.1 found on "
              "one or more DNSBLs, see http://postmaster.comcast.net/smtp-error-codes.php#BL000010",
              "554 imta24.westchester.pa.mail.comcast.net comcast 192.0.2.1 Comcast block for spam. "
              "Please see http://postmaster.comcast.net/smtp-error-codes.php#BL000000",
              "553 5.3.0 flpd594 DNSBL:RBL 521< 192.0.2.1 >_is_blocked.For assistance forward this "
              "email to abuse_rbl@abuse-att.net",
              "553 5.3.0 flph825 DNSBL:ATTRBL 521< 192.0.2.1 >_is_blocked.For assistance forward "
              "this email to abuse@example.com",
              "554-gmx.net (mxgmx017) Nemesis ESMTP Service not available\n"
              "554-No SMTP service\n"
              "554-IP address is black listed.\n"
              "554 For explanation visit "
              "https://postmaster.gmx.net/en/error-messages?ip=192.0.2.1&c=bl",
              "554-web.de (mxweb111) Nemesis ESMTP Service not available\n"
              "554-No SMTP service\n"
              "554-IP address is black listed.\n"
              "554 For explanation visit "
              "https://postmaster.web.de/en/error-messages?ip=192.0.2.1&c=bl",
              "554-perfora.net (mxeueus003) Nemesis ESMTP Service not available\n"
              "554-No SMTP service\n"
              "554-IP address is black listed.\n"
              "554 For explanation visit "
              "https://postmaster.1and1.com/en/error-messages?ip=192.0.2.1&c=bl",
              "554 IP=192.0.2.1 - A problem occurred. (Ask your postmaster for help or to contact "
              "tosa@rx.t-online.de to clarify.) (BL)",
              "554 IP=192.0.2.1 - None/bad reputation. Ask your postmaster for help or to contact "
              "tobr@rx.t-online.de for reset. (NOWL)",
              "554 IP=192.0.2.1 - Dialup/transient IP not allowed. Use a mailgateway or contact "
              "tobr@rx.t-online.de to clarify. (DIAL)",
              "550 mwinf5c04 ME Adresse IP source bloquee pour incident de spam. Client host "
              "blocked for spamming issues. OFR006_102 Ref "
              "http://csi.cloudmark.com/reset-request/?ip=192.0.2.1 [102]",
              "550 5.7.1 Service refuse. Client host blocked for spamming issues. OFR_102 [102]",
              "550 spam detected: Too many spams from your IP (192.0.2.1), please visit "
              "http://postmaster.free.fr/",
              "554 5.7.1 <unknown[192.0.2.1]>: Client host rejected: Abus detecte GU_EIB_02",
              "550 csi.mimecast.org Poor Reputation Sender. - "
              "https://community.mimecast.com/docs/DOC-1369#550 [vH7Ns8biNg-p6EfZ0QaVMQ.us149]",
              "550 Local CT IP Reputation - (reject) [a1b2]",
              "554-mx.example.com\n"
              "554-Your access to this mail system has been rejected due to the sending MTA's poor "
              "reputation. If you\n"
              "554 believe that this failure is in error, please contact the intended recipient via "
              "alternate means.",
              "550 #5.7.1 Your access to submit messages to this e-mail system has been rejected.",
              "554-mx1.example.com\n"
              "554 Please visit "
              "https://talosintelligence.com/reputation_center/lookup?search=192.0.2.1",
              "550 Service unavailable; Client Host [192.0.2.1] blocked using Trend Micro RBL+. "
              "Please see http://www.mail-abuse.com/cgi-bin/lookup?ip_address=192.0.2.1",
              "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using cm-csi-v11; "
              "Cloudmark Poor Reputation Sender Blacklist "
              "http://csi.cloudmark.com/reset-request/?ip=192.0.2.1",
              "554 p3plibsmtp02-07.prod.phx3.secureserver.net bizsmtp IB103. Connection refused. "
              "192.0.2.1 has a poor reputation on Cloudmark Sender Intelligence (CSI).",
              "501 Connection rejected by policy [7.7] 38903, please visit "
              "www.messagelabs.com/support for more details about this error message.",
              "550 The sending IP (192.0.2.1) is listed on https://spamrl.com/. Please resolve this "
              "and retry.",
              "421 Service unavailable. AUP#CXBL 192.0.2.1",
              "554 impin021.msg.chrl.nc.charter.net charter.net Connection refused, IP blocked "
              "AUP#In-1000",
              "550 Access from ip address 192.0.2.1 blocked. Visit "
              "http://help.mail.ru/notspam-support/ip",
              "550 Suspected spam ip http://service.mail.qq.com/cgi-bin/help?id=20022",
              "550 Connection denied [MGsUbA== IP: 192.0.2.1]. "
              "http://service.mail.qq.com/cgi-bin/help?subtype=1&&id=20022&&no=1000725",
              "554 HL:IPB 163 mx22 192.0.2.1 http://mail.163.com/help/help_spam_16.htm",
              "421 4.3.2 Your ip blocked from this server",
              "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using bl.spamcop.net; "
              "Blocked - see https://www.spamcop.net/bl.shtml?192.0.2.1",
              "454 4.7.1 Service unavailable; Client host [192.0.2.1] blocked using "
              "dnsbl.sorbs.net; Currently Sending Spam See: "
              "http://www.sorbs.net/lookup.shtml?192.0.2.1",
              "550 Rejected: 192.0.2.1 found in dnsbl.sorbs.net",
              "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using "
              "dnsbl-1.uceprotect.net; IP 192.0.2.1 is UCEPROTECT-Level 1 listed. See "
              "http://www.uceprotect.net/rblcheck.php?ipr=192.0.2.1",
              "550 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using "
              "black.mail.abusix.zone; https://lookup.abusix.com/search?q=192.0.2.1",
              "550 5.7.1 Rejected: 192.0.2.1 listed at bl.score.senderscore.com. See "
              "https://senderscore.org/blocklistlookup/",
              "550 Black listed at hostkarma "
              "http://ipadmin.junkemailfilter.com/remove.php?ip=192.0.2.1",
              "550 Rejected due to DNSBL server response (dnsbl.cobion.com - 192.0.2.1)",
              "554 Connection from 192.0.2.1 rejected for policy reasons. Host found in DNS "
              "blacklist at rbl.example.org",
              "550 5.7.1 Your IP 192.0.2.1 is blacklisted on this server",
              "550 5.7.1 Mail from IP 192.0.2.1 was rejected due to listing in our reputation "
              "service",
              "554 5.7.1 <unknown[192.0.2.1]>: Client host rejected: Access denied",
              "553 5.7.1 <host[192.0.2.1]>: Client host rejected: Relaying denied - Your IP "
              "identified as spammer. Please contact 123",
              "550 5.7.1 The IP address was rejected by the Realtime Block List provider "
              "rbl.example.net.",
              "550-\"JunkMail rejected - mail.example.org [192.0.2.1]:39153 is in an\n"
              "550 RBL, see https://rbl.example.net/lookup\"",
              "554 5.7.1 You are not allowed to connect.",
              "554 5.5.4 Your IP 192.0.2.1 address has a bad reputation. To unblock visit "
              "http://cloud-security.net/unblock?x=y",
              "591 user@example.com your host [192.0.2.1] is blacklisted by rbl.example.net. Send "
              "your questions to blacklist-admin@mx01.example.net",
          });
}

TEST_CASE("an address that a public list has", "[reply-rules]") {
    check(relay::ReplyMeaning::listed_everywhere,
          {
              "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using "
              "zen.spamhaus.org; https://www.spamhaus.org/query/ip/192.0.2.1",
              "550 5.7.1 Service unavailable, Client host [192.0.2.1] blocked using Spamhaus. To "
              "request removal from this list see https://www.spamhaus.org/query/ip/192.0.2.1 "
              "(AS16012611)",
              "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using "
              "sbl-xbl.spamhaus.org",
              "550 192.0.2.1 blacklisted see http://www.spamhaus.org/query/bl?ip=192.0.2.1",
              "550 5.2.1 Mailbox unavailable. Your IP address 192.0.2.1 is blacklisted using "
              "SPAMHAUS-XBL. Details: https://www.spamhaus.org/query/ip/192.0.2.1.",
              "554 5.7.1 <recipient@example.com>: Recipient address rejected: "
              "https://www.spamhaus.org/query/ip/192.0.2.1",
              "550-Rejected message because 192.0.2.1 is in a black list at\n"
              "550 sbl-xbl.spamhaus.org",
              "550-IP 192.0.2.1 is blacklisted (xbl.spamhaus.org).\n"
              "550 Help at/Hilfe unter www.mfaq.info",
              "550 5.7.1 Mail from IP 192.0.2.1 was rejected due to listing in Spamhaus SBL. For "
              "details please see http://www.spamhaus.org/query/bl?ip=192.0.2.1",
              "553 5.7.1 [BL21] Connections will not be accepted from 192.0.2.1, because the ip is "
              "in Spamhaus's list; see https://postmaster.yahooinc.com/error-codes",
              "553 Mail from 192.0.2.1 not allowed - 5.7.1 [BL23] Connections not accepted from IP "
              "addresses on Spamhaus XBL; see http://postmaster.yahoo.com/errors/550-bl23.html "
              "[550]",
              "554 bosimpinc12 bizsmtp 192.0.2.1 is on the Spamhaus XBL blacklist. Please visit: "
              "http://www.spamhaus.org/query/bl?ip=192.0.2.1",
              "554 Denied [SHXBL] - Denied by Spamhaus XBL - See "
              "http://www.spamhaus.org/query/bl?ip=192.0.2.1 (Mode: normal)",
              "550 5.7.1 Client host [192.0.2.1] blocked using pbl.spamhaus.org; "
              "https://www.spamhaus.org/pbl/query/PBL123456",
              "550 Email blocked by cbl.abuseat.org - see "
              "http://cbl.abuseat.org/lookup.cgi?ip=192.0.2.1",
              "554 mx.recipient.com cmsmtp 1sSZcfhLEUv3Q IP blacklisted by Spamhaus. For "
              "remediation please use https://www.spamhaus.org/lookup/ [103]",
              "554 Service unavailable; Client host [mail.example.org] blocked using Barracuda "
              "Reputation; http://www.barracudanetworks.com/reputation/?r=1&ip=192.0.2.1",
              "550 Email blocked by b.barracudacentral.org - see "
              "http://www.barracudacentral.org/reputation?ip=192.0.2.1",
          });
}

TEST_CASE("an address that is worded like a rule is an address", "[reply-rules]") {
    const auto& rules = agent::shipped_reply_rules();
    for (const auto& rule : rules) {
        // An address that is worded like these has the meaning that it should have.
        if (rule.text.empty() || rule.meaning == relay::ReplyMeaning::recipient) continue;
        relay::OwnWords own;
        own.names = {"gw1.company.example"};
        own.senders = {{"alice", "company.example"}};
        for (std::string local : {rule.text, "\"" + rule.text + "\"", "x " + rule.text + " 192.0.2.1 y"}) {
            for (char& c : local)
                if (c == '*') c = '-';
            own.recipient = {local, "dest.example"};
            const std::string path = own.recipient.text();
            CAPTURE(rule.name, path);
            for (const std::string& text :
                 {"<" + path + ">: user unknown", path + ": user unknown", "user unknown: <" + path + ">"})
                for (const relay::EnhancedStatus status : {relay::EnhancedStatus{5, 1, 1}, {}})
                    CHECK(relay::judge_reply(rules, {550, status, text}, "mx.dest.example", own).meaning ==
                          relay::ReplyMeaning::recipient);
            // Whoever else's it is, and as a sender too.
            own.recipient = {"bob", "dest.example"};
            CHECK(relay::judge_reply(rules, {550, {}, "<" + local + "@x.example>: no such user"}, "", own)
                      .meaning == relay::ReplyMeaning::recipient);
            own.senders = {{local, "company.example"}};
            own.recipient = {};
            for (const char* between : {"@", "="})
                CHECK(
                    relay::judge_reply(rules, {450, {}, local + between + "company.example is odd"}, "", own)
                        .meaning == relay::ReplyMeaning::unknown);
        }
    }
}

TEST_CASE("a listing that names us is one, whatever its status", "[reply-rules]") {
    relay::OwnWords own;
    own.recipient = {"bob", "dest.example"};
    for (const char* text :
         {"550 5.2.1 Mailbox unavailable. Your IP address 192.0.2.1 is blacklisted using SPAMHAUS-XBL.",
          "554 5.7.1 <bob@dest.example>: Recipient address rejected: "
          "https://www.spamhaus.org/query/ip/192.0.2.1",
          "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org",
          "550 5.7.1 Service unavailable; Client host [2001:db8::1] blocked using zen.spamhaus.org"}) {
        CAPTURE(text);
        CHECK(relay::judge_reply(agent::shipped_reply_rules(), reply_of(text), "", own).meaning ==
              relay::ReplyMeaning::listed_everywhere);
    }
}
