//! RTP and RTCP values: sequence numbers, RFC 4733 digits, payload headers.
