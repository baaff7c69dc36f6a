"""The primary's own "gateway mode" reads the spool count here: over both generations, and nothing else."""
import http.client
import json
import re
import socket
import ssl
import threading
import xml.etree.ElementTree as xml

import samples
import scenario
import smtp_client
from certificates import Authority
from gateway import ACCOUNT
from process import wait_for
from workspace import SMTP_PORT

PORT = 9998
PASSWORD = "the spool's own <&> password"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_1_2 = "http://www.w3.org/2003/05/soap-envelope"
SERVICE = "/Services/svcServerAdmin.asmx"
COUNTS = "/api/v1/settings/sysadmin/spool-message-counts"


def soap_call(operation, password=PASSWORD, space=SOAP, wanted=()):
    envelope = xml.Element(f"{{{space}}}Envelope")
    call = xml.SubElement(xml.SubElement(envelope, f"{{{space}}}Body"), f"{{http://tempuri.org/}}{operation}")
    for name, value in (("AuthUserName", "spool"), ("AuthPassword", password)):
        xml.SubElement(call, f"{{http://tempuri.org/}}{name}").text = value
    if wanted:
        items = xml.SubElement(call, "{http://tempuri.org/}reqStats")
        for key in wanted:
            xml.SubElement(items, "{http://tempuri.org/}string").text = key
    return xml.tostring(envelope, encoding="utf-8", xml_declaration=True)


class GatewayMode(scenario.Scenario):
    def _start(self, **settings):
        self.password_file = self.workspace.file("spool-password", PASSWORD + "\n", 0o600, owner=ACCOUNT)
        self.tls = None
        self.postern = self.gateway(status={
            "address": f"{self.workspace.host(1)}:8025", "gateway_mode": f"{self.workspace.host(1)}:{PORT}",
            "gateway_mode_user": "spool", "gateway_mode_password_file": self.password_file}, **settings)

    def _connection(self, source=None):
        place = dict(host=self.workspace.host(1), port=PORT, timeout=30,
                     source_address=(source or self.primary_address, 0))
        return http.client.HTTPSConnection(context=self.tls, **place) if self.tls else http.client.HTTPConnection(**place)

    def _ask(self, method, path, body=None, headers=None, source=None):
        """(status, text)"""
        connection = self._connection(source)
        try:
            connection.request(method, path, body, headers or {})
            reply = connection.getresponse()
            return reply.status, reply.read().decode()
        finally:
            connection.close()

    def _soap(self, operation, path=SERVICE, space=SOAP, **more):
        """(status, the reply's values by element name)"""
        kind = "text/xml; charset=utf-8" if space == SOAP else "application/soap+xml; charset=utf-8"
        status, text = self._ask("POST", path, soap_call(operation, space=space, **more),
                                 {"Content-Type": kind, "SOAPAction": f'"http://tempuri.org/{operation}"'})
        return status, {e.tag.split("}")[-1]: e.text for e in xml.fromstring(text).iter()}

    def _rest(self, method, path, body=None, token=None):
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        status, text = self._ask(method, path, None if body is None else json.dumps(body), headers)
        return status, json.loads(text)

    def _sign_in(self, password=PASSWORD):
        return self._rest("POST", "/api/v1/auth/authenticate-user",
                          {"username": "spool", "password": password, "clientId": "primary", "language": "en"})

    def _fill_queue(self, count):
        for number in range(count):  # nobody listens where they should go
            smtp_client.send(self.postern.address, "alice@company.example", f"bob{number}@dest.example", samples.simple())

    def _event(self, **fields):
        return self.postern.wait_for_event("gateway-mode", **fields)

    def test_both_generations_read_the_spool_count(self):
        self._start()
        self._fill_queue(3)
        for space in (SOAP, SOAP_1_2):
            status, reply = self._soap("GetSpoolMessageCount", space=space)
            self.assertEqual((status, reply["Result"], reply["ResultCode"], reply["messageCount"]), (200, "true", "0", "3"))
        status, first = self._sign_in()
        self.assertEqual((status, first["success"], first["isAdmin"]), (200, True, True))
        self.assertEqual(self._rest("GET", COUNTS, token=first["accessToken"])[1]["counts"]["default"], 3)
        status, second = self._rest("POST", "/api/v1/auth/refresh-token", {"token": first["refreshToken"]})
        self.assertEqual((status, second["success"]), (200, True))
        self._fill_queue(1)
        self.assertEqual(self._rest("GET", COUNTS, token=second["accessToken"])[1]["counts"]["default"], 4)
        self.assertEqual(self._rest("GET", COUNTS, token=first["accessToken"])[0], 401)
        self.assertRegex(self.postern.http("/metrics")[1], r'gateway_mode_requests_total\{outcome="served"\} 6')

    def test_the_state_and_the_description(self):
        self._start()
        status, reply = self._ask("POST", SERVICE, soap_call("RequestStatus", wanted=["smtp_isrunning", "spool_messagecount"]))
        self.assertEqual(status, 200)
        self.assertEqual(re.findall("<string>(.*?)</string>", reply), ["SMTP_IsRunning=True", "Spool_MessageCount=0"])
        status, description = self._ask("GET", SERVICE + "?wsdl")
        self.assertEqual(status, 200)
        self.assertIn(f'location="http://{self.workspace.host(1)}:{PORT}{SERVICE}"', description)
        xml.fromstring(description)

    def test_wrong_credentials_are_refused_counted_and_slowed(self):
        self._start()
        for _ in range(2):
            self.assertEqual(self._soap("GetSpoolMessageCount", password="guessed")[1]["Message"], "Failed to log in.")
            status, reply = self._sign_in("guessed")
            self.assertEqual((status, reply["success"], reply["message"]), (401, False, "USERNAME_OR_PASSWORD_INCORRECT"))
        self.assertEqual(self._soap("GetSpoolMessageCount", password="guessed")[1]["Message"], "Too many login attempts.")
        wait_for(lambda: self._sign_in()[0] == 200, "the end of the pause")
        self.assertEqual(self._event(outcome="login-refused")["client"], self.primary_address)
        counted = re.search(r'gateway_mode_requests_total\{outcome="login-refused"\} (\d+)', self.postern.http("/metrics")[1])
        self.assertGreaterEqual(int(counted[1]), 5)
        self.assertNotIn("guessed", self.postern.log_file.read_text())
        self.assertNotIn(PASSWORD, self.postern.log_file.read_text())

    def test_a_stranger_is_not_even_listened_to(self):
        self._start()
        stranger = self.workspace.host(scenario.STRANGER)
        with self.assertRaises((OSError, http.client.HTTPException)):
            self._ask("GET", SERVICE + "?wsdl", source=stranger)
        self.assertEqual(self._event(outcome="stranger")["client"], stranger)
        silent = [socket.create_connection((self.workspace.host(1), PORT), 30, (stranger, 0)) for _ in range(100)]
        self.assertEqual(self._soap("GetSpoolMessageCount")[0], 200)
        for one in silent:
            one.close()

    def test_what_is_not_served_is_refused_and_named_in_the_log(self):
        self._start()
        status, reply = self._soap("GetUsers", "/Services/svcUserAdmin.asmx")
        self.assertEqual((status, reply["faultcode"]), (500, "soap:Client"))
        self._event(outcome="not-served", operation="svcuseradmin.GetUsers", client=self.primary_address)
        status, reply = self._rest("GET", "/api/v1/settings/sysadmin/domains")
        self.assertEqual((status, reply["success"]), (404, False))
        self._event(outcome="not-served", operation="GET settings/sysadmin/domains")
        self.assertEqual(self._ask("GET", "/interface/root")[0], 404)
        self.assertEqual(self._ask("GET", "/v1/status")[0], 404)
        self.assertEqual(self._ask("GET", "/x%0d%0aevent=%22accepted%22")[0], 404)
        for _ in range(50):
            self._ask("GET", "/interface/root")
        named = [e for e in self.postern.events("gateway-mode") if e["operation"] == "GET /interface/root"]
        self.assertEqual(len(named), 1)  # and not once for each request

    def _raw(self, octets):
        """The first line of the answer, "" when there is none."""
        with socket.create_connection((self.workspace.host(1), PORT), 30, (self.primary_address, 0)) as s:
            try:
                s.sendall(octets)
            except OSError:
                pass  # it may have seen enough
            try:
                return s.makefile("rb").readline().decode()
            except OSError:
                return ""

    def test_bodies_are_bounded_and_odd_requests_refused(self):
        self._start()
        post = f"POST {SERVICE} HTTP/1.1\r\nHost: gw\r\n".encode()
        call = soap_call("GetSpoolMessageCount")
        length = f"Content-Length: {len(call)}\r\n".encode()
        for expected, request in (
                (" 200 ", post + length + b"\r\n" + call),
                (" 413 ", post + b"Content-Length: 65537\r\n\r\n" + b"x" * 65537),
                (" 413 ", post + b"Content-Length: 99999999999999999999\r\n\r\n" + b"x" * 500_000),
                (" 411 ", post + b"Content-Length: -1\r\n\r\n"),
                (" 411 ", post + b"\r\n"),
                (" 411 ", post + length + length + b"\r\n" + call),
                (" 411 ", post + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n" + b"x" * 100_000),
                (" 411 ", post + length + b"Transfer-Encoding: chunked\r\n\r\n" + call),
                (" 415 ", post + length + b"Content-Encoding: gzip\r\n\r\n" + call),
                (" 415 ", post + length + b"Content-Type: multipart/form-data; boundary=x\r\n\r\n" + call),
                (" 416 ", post + length + b"Range: bytes=0-\r\n\r\n" + call),
                (" 431 ", post + b"X: y\r\n" * 100 + length + b"\r\n" + call),
                (" 405 ", b"PUT / HTTP/1.1\r\nHost: gw\r\nContent-Length: 5\r\n\r\nhello"),
                (" 414 ", b"GET /" + b"a" * 2000 + b" HTTP/1.1\r\n\r\n"),
                (" 413 ", f"GET {SERVICE}?wsdl HTTP/1.1\r\nHost: gw\r\n".encode() + length + b"\r\n" + call),
                (" 500 ", post + b"Content-Length: 65536\r\n\r\n" + b"x" * 65536),
                ("", post + b"Content-Length: 1000\r\n\r\nand then nothing"),
                (" 400 ", post.replace(b"Host: gw\r\n", b"") + length + b"\r\n" + call),
                (" 400 ", post + length + b"X: a\r\n Transfer-Encoding: chunked\r\n\r\n" + call),
                (" 400 ", post + length + b"Transfer-Encoding : chunked\r\n\r\n" + call),
                (" 400 ", post + length + b"X: a\rTransfer-Encoding: chunked\r\n\r\n" + call),
                (" 400 ", post + length + b"X: a\nTransfer-Encoding: chunked\r\n\r\n" + call),
                (" 400 ", b"\0\0\0\0\r\n\r\n"),
                (" 431 ", post + b"X: " + b"y" * 100_000 + b"\r\n\r\n"),
                ("", post + b"X: " + b"y" * 3_000_000 + b"\r\n\r\n"),
                ("", post + b"X: y\r\n" * 300_000 + b"\r\n")):
            with self.subTest(request[:100]):
                answer = self._raw(request)
                self.assertIn(expected, answer)
                if not expected:
                    self.assertNotIn(" 200 ", answer)
        self.assertEqual(self._soap("GetSpoolMessageCount")[0], 200)

    def test_a_client_that_waits_for_continue_is_told_to(self):
        self._start()
        call = soap_call("GetSpoolMessageCount")
        with socket.create_connection((self.workspace.host(1), PORT), 30, (self.primary_address, 0)) as s:
            s.sendall(f"POST {SERVICE} HTTP/1.1\r\nHost: gw\r\nContent-Type: text/xml\r\nExpect: 100-continue\r\n"
                      f"Content-Length: {len(call)}\r\n\r\n".encode())
            lines = s.makefile("rb")
            self.assertIn(b" 100 ", lines.readline())
            s.sendall(call)
            self.assertIn(b"messageCount", lines.read())
        post = f"POST {SERVICE} HTTP/1.1\r\nHost: gw\r\n".encode()
        self.assertIn(" 413 ", self._raw(post + b"Expect: 100-continue\r\nContent-Length: 70000\r\n\r\n"))

    def test_connections_that_drip_are_ended(self):
        self._start()
        dripping = [socket.create_connection((self.workspace.host(1), PORT), 30, (self.primary_address, 0)) for _ in range(12)]
        for one in dripping:
            one.sendall(b"POST / HTTP/1.1\r\nX: ")
            one.setblocking(False)

        def all_ended():
            open_ones = 0
            for one in dripping:
                try:
                    one.send(b"y")
                    open_ones += 1
                except BlockingIOError:
                    open_ones += 1
                except OSError:
                    pass
            return open_ones == 0
        wait_for(all_ended, "the end of all dripping connections", deadline=120)
        self.assertEqual(self._soap("GetSpoolMessageCount")[0], 200)
        for one in dripping:
            one.close()

    def _keep_others_out(self, *beginnings):
        """A thousand connections of one address that begin so, and eight that ask without end; another is served."""
        many, ended = [], threading.Event()
        for number in range(1000):
            many.append(socket.create_connection((self.workspace.host(1), PORT), 30, (self.primary_address, 0)))
            try:
                many[-1].sendall(beginnings[number % len(beginnings)])
            except OSError:
                pass  # it had to give way already

        def ask_without_end():
            while not ended.is_set():
                try:
                    self._ask("POST", SERVICE, soap_call("RequestStatus"))
                except (OSError, http.client.HTTPException):
                    pass

        busy = [threading.Thread(target=ask_without_end) for _ in range(8)]
        for thread in busy:
            thread.start()
        try:
            for _ in range(50):
                self.assertEqual(self._ask("GET", SERVICE + "?wsdl", source="127.0.0.1")[0], 200)
        finally:
            ended.set()
            for thread in busy:
                thread.join()
            for one in many:
                one.close()

    def test_one_address_keeps_no_other_out(self):
        self._start()
        half = f"POST {SERVICE} HTTP/1.1\r\nHost: gw\r\nContent-Length: 100\r\n\r\nhalf of it".encode()
        self._keep_others_out(b"", b"POST / HT", half)

    def test_one_address_keeps_no_other_out_of_tls(self):
        authority = Authority(self.workspace)
        pair = authority.issue("gw.example", self.workspace.host(1))
        self._start(tls={"certificate": pair.certificate, "private_key": pair.key})
        self.tls = authority.client_context()
        self._keep_others_out(b"", b"\x16\x03\x01", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 100)

    def test_a_connection_in_hand_does_not_hold_the_stop(self):
        self._start()
        with socket.create_connection((self.workspace.host(1), PORT), 30, (self.primary_address, 0)) as s:
            s.sendall(b"POST / HTTP/1.1\r\n")
            self.assertEqual(self.postern.stop(), 0)

    def test_over_tls_the_certificate_and_the_password_can_be_changed(self):
        authority = Authority(self.workspace)
        old = authority.issue("old.example", self.workspace.host(1))
        self._start(tls={"certificate": old.certificate, "private_key": old.key})
        with self.assertRaises((OSError, http.client.HTTPException)):
            self._soap("GetSpoolMessageCount")  # not without TLS
        self.tls = authority.client_context()
        self.assertEqual(self._soap("GetSpoolMessageCount")[1]["Result"], "true")
        token = self._sign_in()[1]["accessToken"]

        new = authority.issue("new.example", self.workspace.host(1))
        self.password_file.write_text("another password\n")
        self.postern.reload(tls={"certificate": new.certificate, "private_key": new.key})
        self.postern.wait_for_event("reloaded")
        self.assertEqual(self._rest("GET", COUNTS, token=token)[0], 401)
        self.assertEqual(self._sign_in()[0], 401)
        self.assertEqual(self._sign_in("another password")[0], 200)
        with socket.create_connection((self.workspace.host(1), PORT), 30, (self.primary_address, 0)) as s:
            with self.tls.wrap_socket(s, server_hostname=self.workspace.host(1)) as secured:
                names = {name for _, name in secured.getpeercert()["subjectAltName"]}
        self.assertIn("new.example", names)

    def test_over_tls_it_is_what_the_listeners_are(self):
        authority = Authority(self.workspace)
        pair = authority.issue("gw.example", self.workspace.host(1))
        self._start(tls={"certificate": pair.certificate, "private_key": pair.key})
        context = authority.client_context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2

        def ticket(port, greet):
            with socket.create_connection((self.workspace.host(1), port), 30, (self.primary_address, 0)) as s:
                greet(s)
                with context.wrap_socket(s, server_hostname=self.workspace.host(1)) as secured:
                    return secured.session.has_ticket, bool(secured.session.id)

        def starttls(s):
            s.recv(1000)
            s.sendall(b"EHLO client\r\n")
            s.recv(10000)
            s.sendall(b"STARTTLS\r\n")
            self.assertTrue(s.recv(1000).startswith(b"220"))

        self.assertEqual(ticket(SMTP_PORT, starttls), (False, False))
        self.assertEqual(ticket(PORT, lambda s: None), (False, False))

    def test_who_is_a_primary_can_be_changed(self):
        self._start()
        other = self.workspace.host(30)
        with self.assertRaises((OSError, http.client.HTTPException)):
            self._ask("GET", SERVICE + "?wsdl", source=other)
        self.postern.reload(primary=[{"name": "main", "addresses": [other], "deliver_to": f"{other}:2525"}])
        self.postern.wait_for_event("reloaded")
        self.assertEqual(self._ask("GET", SERVICE + "?wsdl", source=other)[0], 200)


if __name__ == "__main__":
    scenario.main()
