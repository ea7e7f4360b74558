//! Offer/answer and the packet machine of one media transport.
