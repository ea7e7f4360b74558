//! `printf` for `SPRINTF`: flags, width, precision and the conversions of numbers and text.

use super::arguments::number;

/// A field may be so wide: what a dial plan prints is short.
const WIDTH_MAX: usize = 256;

/// One conversion: `%-05.2f`.
#[derive(Default)]
struct Field {
    left: bool,
    zeros: bool,
    sign: bool,
    blank: bool,
    width: usize,
    precision: Option<usize>,
}

/// Puts the values into the format; one that is missing is nothing.
pub(super) fn sprintf(format: &str, values: &[String]) -> Result<String, String> {
    let mut text = String::new();
    let mut values = values.iter();
    let mut characters = format.chars().peekable();
    while let Some(character) = characters.next() {
        if character != '%' {
            text.push(character);
            continue;
        }
        let mut field = Field::default();
        let mut dotted = false;
        let conversion = loop {
            let Some(character) = characters.next() else {
                return Err("it ends within a conversion".to_owned());
            };
            match character {
                '-' => field.left = true,
                '+' => field.sign = true,
                ' ' => field.blank = true,
                '#' | 'l' | 'h' | 'L' | 'q' | 'j' | 'z' | 't' => {}
                '0' if field.width == 0 && !dotted => field.zeros = true,
                '.' => {
                    dotted = true;
                    field.precision = Some(0);
                }
                '0'..='9' => {
                    let digit = character as usize - '0' as usize;
                    let number = match &mut field.precision {
                        Some(precision) if dotted => precision,
                        _ => &mut field.width,
                    };
                    *number = (*number * 10 + digit).min(WIDTH_MAX);
                }
                other => break other,
            }
        };
        if conversion == '%' {
            text.push('%');
            continue;
        }
        let value = values.next().map_or("", String::as_str);
        text.push_str(&field.convert(conversion, value)?);
    }
    Ok(text)
}

impl Field {
    fn convert(&self, conversion: char, value: &str) -> Result<String, String> {
        let value = match conversion {
            'd' | 'i' => self.number(&format!("{}", number(value) as i64)),
            'u' => format!("{}", number(value) as i64 as u64),
            'o' => format!("{:o}", number(value) as i64),
            'x' => format!("{:x}", number(value) as i64),
            'X' => format!("{:X}", number(value) as i64),
            'c' => char::from_u32(number(value) as u32).map_or_else(String::new, String::from),
            's' => {
                let chars_max = self.precision.unwrap_or(usize::MAX);
                return Ok(self.padded(&value.chars().take(chars_max).collect::<String>(), false));
            }
            'f' | 'F' => {
                let decimals = self.precision.unwrap_or(6);
                self.number(&format!("{:.decimals$}", number(value)))
            }
            'e' | 'E' | 'g' | 'G' | 'a' | 'A' => self.number(&number(value).to_string()),
            other => return Err(format!("there is no conversion %{other}")),
        };
        Ok(self.padded(&value, self.zeros && !self.left))
    }

    fn number(&self, text: &str) -> String {
        match (text.starts_with('-'), self.sign, self.blank) {
            (false, true, _) => format!("+{text}"),
            (false, false, true) => format!(" {text}"),
            _ => text.to_owned(),
        }
    }

    fn padded(&self, text: &str, by_zeros: bool) -> String {
        let missing = self.width.saturating_sub(text.chars().count());
        if by_zeros {
            let digits = text.trim_start_matches(['+', '-', ' ']);
            let sign = &text[..text.len() - digits.len()];
            return format!("{sign}{}{digits}", "0".repeat(missing));
        }
        let blanks = " ".repeat(missing);
        match self.left {
            true => format!("{text}{blanks}"),
            false => format!("{blanks}{text}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::sprintf;

    #[test]
    fn values_are_printed_as_c_prints_them() {
        let print = |format: &str, values: &[&str]| {
            let values: Vec<String> = values.iter().map(|&value| value.to_owned()).collect();
            sprintf(format, &values)
        };
        let ok = |text: &str| Ok(text.to_owned());
        assert_eq!(
            print("%05d|%-4s|%3s", &["-42", "ab", "c"]),
            ok("-0042|ab  |  c")
        );
        assert_eq!(
            print("%.2f %x %X %o%%", &["3.14159", "255", "255", "8"]),
            ok("3.14 ff FF 10%")
        );
        assert_eq!(print("%.3s%+d", &["abcdef", "5"]), ok("abc+5"));
        assert_eq!(print("%s-%s", &["a"]), ok("a-"));
        assert!(print("%y", &["1"]).is_err() && print("50%", &[]).is_err());
        assert_eq!(
            print("%999999999999d", &["1"]).map(|text| text.len()),
            Ok(256)
        );
    }
}
