"""What keeps a request from being sent twice, sent elsewhere, or answered by something else."""

import ssl
from collections.abc import Awaitable, Callable

from tests.mutations import Around, Mutation, forcing, returning

FAULT = "faults/test_faults.py::test_fault_has_its_outcome"
SESSION = f"{FAULT}_through_the_session"
TRUSTING = Around(lambda original: lambda: _trusting(original()))


def _trusting(context: ssl.SSLContext) -> ssl.SSLContext:
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _of_any_host(context: ssl.SSLContext) -> ssl.SSLContext:
    context.check_hostname = False
    return context


def _of_tls_1(context: ssl.SSLContext) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1
    return context


def _dispatching_again(connect: Callable[..., Awaitable[object]]) -> object:
    async def again(self: object, *given: object) -> object:
        from caxton_async.transport import exchange  # the table itself is loaded while rooms are being imported

        exchange._in_hand.get()[0].dispatched = False
        return await connect(self, *given)

    return again


MUTATIONS = (
    Mutation(
        "no redirect is followed",
        "caxton_async.transport:aiohttp.ClientSession._request",
        forcing(allow_redirects=True),
        (f"{SESSION}[25-307-look-up]", f"{SESSION}[26-307-look-up]"),
    ),
    Mutation(
        "the environment names no proxy and no netrc file",
        "caxton_async.transport:aiohttp.ClientSession.__init__",
        forcing(trust_env=True),
        (f"{SESSION}[58-proxy-payment]", f"{SESSION}[58-netrc-login]"),
    ),
    Mutation(
        "nothing is decompressed",
        "caxton_async.transport.exchange:ResponseHandler.set_response_params",
        forcing(auto_decompress=True),
        (f"{FAULT}[42-deflate-look-up]", f"{FAULT}[43-not_true-look-up]"),
    ),
    Mutation(
        "a reply that begins before the request has ended is early",
        "caxton_async.protocol.reply:HttpReply.early",
        property(returning(False), returning(None)),
        ("test_transport.py::test_a_reply_that_begins_before_the_request_has_ended_is_early",),
    ),
    Mutation(
        "an attempt ends in time",
        "caxton_async.transport.connector:Connector._set_timer",
        returning(None),
        (f"{FAULT}[13-silence-payment]",),
    ),
    Mutation(
        "aiohttp repeats nothing by itself",
        "caxton_async.transport.exchange:SessionConnector.connect",
        Around(_dispatching_again),
        (f"{SESSION}[6-reset-look-up]", f"{SESSION}[7-end-reset]"),
    ),
    Mutation(
        "a connection whose socket is readable is thrown away",
        "caxton_async.transport.connector:_probe",
        returning(returning(False)),
        (f"{FAULT}[10-answer-payment]", f"{FAULT}[12-408-payment]"),
    ),
    Mutation(
        "a connection whose answer was not accepted is not used again",
        "caxton_async.protocol.request:HttpRequest.distrust",
        property(returning(None), returning(None)),
        ("end_to_end/test_sent_once.py::test_an_answer_that_comes_twice_answers_no_further_call",),
    ),
    Mutation(
        "a request counts as sent once a connection takes it",
        "caxton_async.protocol.request:HttpRequest.dispatched",
        property(returning(False), returning(None)),
        (f"{FAULT}[6-reset-payment]", f"{FAULT}[13-silence-payment]"),
    ),
    Mutation(
        "TLS is 1.2 or newer",
        "caxton_async.transport:own_ssl_context",
        Around(lambda original: lambda: _of_tls_1(original())),
        ("test_transport.py::test_tls_before_1_2_is_refused",),
    ),
    Mutation(
        "session keys of TLS are written nowhere",
        "caxton_async.transport:own_ssl_context",
        ssl.create_default_context,
        ("test_transport.py::test_session_keys_are_written_nowhere",),
    ),
    Mutation(
        "the authority of a certificate is checked",
        "caxton_async.transport:own_ssl_context",
        TRUSTING,
        (f"{FAULT}[60-unknown_authority-payment]",),
    ),
    Mutation(
        "the host of a certificate is checked",
        "caxton_async.transport:own_ssl_context",
        Around(lambda original: lambda: _of_any_host(original())),
        (f"{FAULT}[60-another_host-payment]",),
    ),
)
