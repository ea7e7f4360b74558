//! SIP as a pure machine: messages, transactions, dialogs, the INVITE usage.
