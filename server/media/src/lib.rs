//! The media plane: threads, sockets, legs, routing.
