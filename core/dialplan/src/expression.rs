//! `$[…]`: Asterisk's expressions.

/// The value of an expression whose variables have been substituted; the reason if it has none.
pub fn evaluate(text: &str) -> Result<String, String> {
    Ok(text.trim().to_owned())
}
