"""Questions and answers in wire format. Pure, with dnspython's reading and writing."""

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import msgspec

from remora.cluster.dns.answer import TTL, Absent, Answer, Found, Record, Zone

_PLAIN_SIZE = 512
"""Octets of an answer over UDP for a client that says nothing about it (RFC 1035)."""
_LARGEST_SIZE = 1232


class Question(msgspec.Struct, frozen=True):
    """What is asked, and the message that asks."""

    name: str
    type: str
    message: dns.message.QueryMessage

    @property
    def udp_size(self) -> int:
        """How many octets the client takes in one datagram."""
        return min(max(self.message.payload, _PLAIN_SIZE), _LARGEST_SIZE) if self.message.edns >= 0 else _PLAIN_SIZE


class Unreadable(msgspec.Struct, frozen=True):
    """What to send to a message that is no question; b"" for nothing."""

    reply: bytes = b""


def parse_question(data: bytes) -> Question | Unreadable:
    """One question of class IN."""
    try:
        message = dns.message.from_wire(data, ignore_trailing=True)
    except (dns.exception.DNSException, ValueError):
        # The number and the opcode are all that is needed to say "format error".
        return Unreadable(data[:2] + b"\x80\x01" + bytes(8)) if len(data) >= 12 and not data[2] & 0x80 else Unreadable()
    if message.flags & dns.flags.QR:
        return Unreadable()
    if not isinstance(message, dns.message.QueryMessage) or message.opcode() != dns.opcode.QUERY or len(message.question) != 1:
        return Unreadable(_empty(message, dns.rcode.NOTIMP).to_wire())
    question = message.question[0]
    if question.rdclass not in (dns.rdataclass.IN, dns.rdataclass.ANY):
        return Unreadable(_empty(message, dns.rcode.REFUSED).to_wire())
    return Question(question.name.to_text(), dns.rdatatype.to_text(question.rdtype), message)


def reply(question: Question, answer: Answer, zone: Zone, *, forwards: bool) -> dns.message.Message:
    """The message that says it."""
    response = _empty(question.message, dns.rcode.NOERROR)
    response.flags |= dns.flags.AA
    if forwards:
        response.flags |= dns.flags.RA
    match answer:
        case Found(records=records, additional=additional):
            _add(response, response.answer, records)
            _add(response, response.additional, additional)
            if not records:
                _add(response, response.authority, (zone.authority,))
        case Absent():
            response.set_rcode(dns.rcode.NXDOMAIN)
            _add(response, response.authority, (zone.authority,))
        case _:
            response.flags &= ~dns.flags.AA
            response.set_rcode(dns.rcode.REFUSED)
    return response


def failure(question: Question) -> dns.message.Message:
    """Nobody could be asked."""
    response = _empty(question.message, dns.rcode.SERVFAIL)
    response.flags |= dns.flags.RA
    return response


def to_udp(question: Question, response: dns.message.Message) -> bytes:
    """The answer, cut with a mark where it does not fit, so that the client asks by TCP."""
    data: bytes = response.to_wire()
    if len(data) <= question.udp_size:
        return data
    short = _empty(question.message, response.rcode())
    short.flags = response.flags | dns.flags.TC
    return bytes(short.to_wire())


def _empty(message: dns.message.Message, rcode: dns.rcode.Rcode) -> dns.message.Message:
    response = dns.message.make_response(message, our_payload=_LARGEST_SIZE)
    response.set_rcode(rcode)
    return response


def _add(response: dns.message.Message, section: list[dns.rrset.RRset], records: tuple[Record, ...]) -> None:
    for record in records:
        kind = dns.rdatatype.from_text(record.type)
        rrset = response.find_rrset(section, dns.name.from_text(record.name), dns.rdataclass.IN, kind, create=True)
        rrset.add(dns.rdata.from_text(dns.rdataclass.IN, kind, record.data), TTL)
