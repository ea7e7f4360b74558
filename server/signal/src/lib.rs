//! Signalling protocols: SIP over UDP and WebSocket.
