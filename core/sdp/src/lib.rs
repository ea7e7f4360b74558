//! Session descriptions: text to types and back, losslessly.
