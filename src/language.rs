//! What is said to people, in both languages. Uses nothing of ours.

/// A sentence in English and in Vietnamese.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// English.
    pub en: &'static str,
    /// Vietnamese.
    pub vi: &'static str,
}

/// A language that we speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English: what machines and logs get.
    #[default]
    English,
    /// Vietnamese.
    Vietnamese,
}

impl Said {
    /// The sentence in `language`.
    pub fn text(self, language: Language) -> &'static str {
        match language {
            Language::English => self.en,
            Language::Vietnamese => self.vi,
        }
    }
}

impl Language {
    /// The one that an `Accept-Language` header prefers; English if it names neither. Source: RFC 9110 §12.5.4.
    pub fn preferred(header: &str) -> Language {
        let mut best = (0.0, Language::English);
        for range in header.split(',').take(20) {
            let (tag, weight) = range.split_once(';').unwrap_or((range, "q=1"));
            let weight = weight.trim().strip_prefix("q=").and_then(|weight| weight.parse().ok()).unwrap_or(0.0);
            let primary = tag.trim().split('-').next().unwrap_or_default();
            let language = match primary {
                _ if primary.eq_ignore_ascii_case("vi") => Language::Vietnamese,
                _ if primary.eq_ignore_ascii_case("en") => Language::English,
                _ => continue,
            };
            if weight > best.0 {
                best = (weight, language);
            }
        }
        best.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heavier_of_the_two_languages_is_preferred() {
        for header in ["vi", "vi-VN", "VI", "fr, vi;q=0.4", "en;q=0.5, vi;q=0.8", "vi, en", "vi-VN,vi;q=0.9,en;q=0.8"] {
            assert_eq!(Language::preferred(header), Language::Vietnamese, "{header}");
        }
        for header in ["", "en", "*", "fr", "vi;q=0.5, en;q=0.6", "vi;q=0", "en-US,en;q=0.9,vi;q=0.8", "vi;q=x"] {
            assert_eq!(Language::preferred(header), Language::English, "{header}");
        }
    }
}
