//! The HTTPS and WebSocket listener, routes and static files.
