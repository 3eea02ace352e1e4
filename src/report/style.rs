//! Colours: decoration only, the words say the same without them.

use console::Style;

use crate::config::Environment;

/// What a piece of text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Done, ready.
    Good,
    /// Failed.
    Bad,
    /// Needs a look.
    Warn,
    /// Of lesser weight.
    Faint,
    /// Of more weight.
    Strong,
}

/// Paints, or does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Palette {
    colour: bool,
}

impl Palette {
    /// Never any colour.
    pub const fn plain() -> Self {
        Self { colour: false }
    }

    /// Always colour.
    pub const fn coloured() -> Self {
        Self { colour: true }
    }

    /// Colour on a terminal, unless `NO_COLOR` is set or `TERM` is `dumb`.
    pub fn choose(is_terminal: bool, environment: &Environment) -> Self {
        let dumb = environment.term.as_deref() == Some("dumb");
        Self { colour: is_terminal && !environment.no_color && !dumb }
    }

    /// Is there any colour?
    pub const fn has_colour(self) -> bool {
        self.colour
    }

    /// The text in its tone.
    pub fn paint(self, tone: Tone, text: &str) -> String {
        if !self.colour || text.is_empty() {
            return text.to_owned();
        }
        let style = match tone {
            Tone::Good => Style::new().green(),
            Tone::Bad => Style::new().red().bold(),
            Tone::Warn => Style::new().yellow(),
            Tone::Faint => Style::new().dim(),
            Tone::Strong => Style::new().bold(),
        };
        style.force_styling(true).apply_to(text).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_only_on_a_terminal_that_wants_it() {
        let environment = |vars: &[(&str, &str)]| Environment::from_vars(vars.iter().copied(), "/");
        assert!(Palette::choose(true, &environment(&[("TERM", "xterm")])).has_colour());
        assert!(!Palette::choose(false, &environment(&[("TERM", "xterm")])).has_colour());
        assert!(!Palette::choose(true, &environment(&[("NO_COLOR", "1")])).has_colour());
        assert!(!Palette::choose(true, &environment(&[("TERM", "dumb")])).has_colour());
    }

    #[test]
    fn paint_adds_nothing_to_the_words() {
        let painted = Palette::coloured().paint(Tone::Bad, "✗ failed");
        assert_ne!(painted, "✗ failed");
        assert_eq!(console::strip_ansi_codes(&painted), "✗ failed");
        assert_eq!(Palette::plain().paint(Tone::Bad, "x"), "x");
    }
}
