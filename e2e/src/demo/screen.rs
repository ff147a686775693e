//! Where the demo speaks: a live picture on a terminal, plain lines everywhere else.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal, Write},
    time::Instant,
};

/// Terminals lower than this have no room for a picture that is drawn over and over.
const ROWS_MIN: u16 = 20;

/// How a piece of text is meant; on a terminal, its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Strong,
    Faint,
    Good,
    Bad,
    Waiting,
}

/// A piece of a line.
pub(super) type Span = (Tone, String);

/// A line.
pub(super) type Line = Vec<Span>;

/// Where the demo speaks.
pub struct Screen {
    out: Box<dyn Write + Send>,
    colour: bool,
    /// Width, if the picture is drawn in place.
    live: Option<usize>,
    /// How many lines of the picture stand at the end.
    drawn: usize,
    begin: Instant,
}

impl std::fmt::Debug for Screen {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Screen").field("colour", &self.colour).finish_non_exhaustive()
    }
}

impl Screen {
    /// Standard output. `NO_COLOR` takes the colours away, not the picture.
    #[must_use]
    pub fn stdout() -> Self {
        let terminal = io::stdout().is_terminal();
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok();
        let live = size.filter(|size| terminal && size.ws_row >= ROWS_MIN).map(|size| size.ws_col.into());
        let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { out: Box::new(io::stdout()), colour, live, drawn: 0, begin: Instant::now() }
    }

    /// Whether the picture is drawn in place, so that it is worth drawing often.
    pub(super) fn is_live(&self) -> bool {
        self.live.is_some()
    }

    /// Prints lines that stay.
    pub(super) fn print(&mut self, lines: &[Line]) -> io::Result<()> {
        let mut text = self.erased();
        for line in lines {
            self.push(&mut text, line, None);
        }
        self.write(&text)
    }

    /// Prints a line of one tone that stays.
    pub(super) fn say(&mut self, tone: Tone, text: &str) -> io::Result<()> {
        self.print(&[vec![(tone, text.to_owned())]])
    }

    /// Prints when and what happened.
    pub(super) fn event(&mut self, at: Instant, tone: Tone, text: &str) -> io::Result<()> {
        let seconds = at.saturating_duration_since(self.begin).as_secs_f32();
        let time = format!("{seconds:>7.1} s  ");
        let room = self.live.map_or(usize::MAX, |width| width.saturating_sub(time.len()).max(time.len()));
        let mut head = (Tone::Faint, time);
        let mut lines = Vec::new();
        for words in wrapped(text, room) {
            let next = (Tone::Plain, " ".repeat(head.1.len()));
            lines.push(vec![std::mem::replace(&mut head, next), (tone, words)]);
        }
        self.print(&lines)
    }

    /// Draws the picture over the one before. Elsewhere than on a terminal, events say it all.
    pub(super) fn draw(&mut self, lines: &[Line]) -> io::Result<()> {
        let Some(width) = self.live else { return Ok(()) };
        let mut text = self.erased();
        for line in lines {
            self.push(&mut text, line, Some(width));
        }
        self.drawn = lines.len();
        self.write(&text)
    }

    /// What takes the picture away, so that something can be printed in its place.
    fn erased(&mut self) -> String {
        match std::mem::take(&mut self.drawn) {
            0 => String::new(),
            drawn => format!("\x1b[{drawn}A\x1b[J"),
        }
    }

    fn push(&self, text: &mut String, line: &Line, width: Option<usize>) {
        let mut left = width.unwrap_or(usize::MAX);
        for (tone, words) in line {
            // A line that wraps would be two, and the next picture would be drawn one too low.
            let words: String = words.chars().take(left).collect();
            left -= words.chars().count();
            let code = if self.colour { code(*tone) } else { "" };
            if code.is_empty() {
                text.push_str(&words);
            } else {
                // Writing into a String can't fail.
                let _ = write!(text, "\x1b[{code}m{words}\x1b[0m");
            }
        }
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }
}

/// A text in lines of at most `width` characters, unless a word is longer.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn code(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "",
        Tone::Strong => "1",
        Tone::Faint => "2",
        Tone::Good => "32",
        Tone::Bad => "1;31",
        Tone::Waiting => "33",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(colour: bool, live: Option<usize>, act: impl FnOnce(&mut Screen)) -> String {
        let paper = Paper::default();
        let out = Box::new(paper.clone());
        act(&mut Screen { out, colour, live, drawn: 0, begin: Instant::now() });
        String::from_utf8(paper.0.lock().unwrap().clone()).unwrap()
    }

    fn line(text: &str) -> Line {
        vec![(Tone::Good, text.to_owned())]
    }

    #[test]
    fn a_picture_is_drawn_over_the_one_before_and_makes_room_for_what_stays() {
        let text = written(false, Some(4), |screen| {
            screen.draw(&[line("one"), line("too long")]).unwrap();
            screen.draw(&[line("two")]).unwrap();
            screen.print(&[line("this stays")]).unwrap();
        });
        assert_eq!(text, "one\ntoo\n\x1b[2A\x1b[Jtwo\n\x1b[1A\x1b[Jthis stays\n");
    }

    #[test]
    fn a_long_event_is_wrapped_at_words_beside_its_time() {
        let text = written(false, Some(24), |screen| {
            screen.event(screen.begin, Tone::Plain, "one two three four").unwrap();
        });
        assert_eq!(text, "    0.0 s  one two three\n           four\n");
        assert_eq!(wrapped("one two", usize::MAX), ["one two"]);
    }

    #[test]
    fn a_pipe_gets_neither_pictures_nor_colours() {
        let text = written(false, None, |screen| {
            screen.draw(&[line("picture")]).unwrap();
            screen.say(Tone::Bad, "words").unwrap();
        });
        assert_eq!(text, "words\n");
        assert_eq!(written(true, None, |screen| screen.say(Tone::Bad, "x").unwrap()), "\x1b[1;31mx\x1b[0m\n");
    }
}
