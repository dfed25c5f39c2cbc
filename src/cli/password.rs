//! Passwords come from the terminal, unseen, or from standard input; never from the command line, which every process of
//! the machine can read.

use std::io::{self, IsTerminal as _, Read as _, Write as _};

use anyhow::{Context as _, bail, ensure};
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

use crate::domain::account::{Password, UserName};

/// More than any password has.
const LONGEST: u64 = 4_096;

/// A new password for `user`: typed twice, or the first line of standard input.
pub(super) fn new(user: &UserName, from_stdin: bool) -> anyhow::Result<Password> {
    if from_stdin {
        return Ok(Password::new(first_line()?, user)?);
    }
    ensure!(io::stdin().is_terminal(), "there is no terminal to type a password on: use --password-stdin");
    let password = Password::new(typed(&format!("Password for {user}: "))?, user)?;
    let again = typed("The same again: ")?;
    ensure!(again == password.expose(), "the two are not the same: nothing was changed");
    Ok(password)
}

fn first_line() -> anyhow::Result<String> {
    let mut text = String::new();
    io::stdin().take(LONGEST).read_to_string(&mut text).context("cannot read the password from standard input")?;
    // Scripts end it with a line end or do not.
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// What is typed at `prompt`, up to the end of the line and unseen.
fn typed(prompt: &str) -> anyhow::Result<String> {
    let unseen = Unseen::begin().context("cannot use the terminal")?;
    // Only now, so that nothing which is typed after the prompt can be seen.
    let mut stderr = io::stderr();
    stderr.write_all(prompt.as_bytes()).and_then(|()| stderr.flush()).context("cannot write to the terminal")?;
    let mut bytes = Vec::new();
    let typed = loop {
        let mut byte = [0];
        if io::stdin().read(&mut byte).context("cannot read from the terminal")? == 0 {
            bail!("the terminal is gone");
        }
        match Key::of(byte[0], bytes.is_empty()) {
            Key::Enter => break Some(bytes),
            Key::Abort => break None,
            Key::Erase => erase(&mut bytes),
            Key::EraseAll => bytes.clear(),
            Key::Byte(byte) => bytes.push(byte),
        }
        ensure!(bytes.len() as u64 <= LONGEST, "that is longer than any password");
    };
    drop(unseen);
    let _ = stderr.write_all(b"\n");
    let Some(typed) = typed else { bail!("given up: nothing was changed") };
    String::from_utf8(typed).context("the password is no UTF-8: check the terminal's encoding")
}

/// What a byte from the terminal does.
#[derive(Debug, PartialEq, Eq)]
enum Key {
    Enter,
    /// Ctrl-C, or Ctrl-D on an empty line.
    Abort,
    Erase,
    EraseAll,
    Byte(u8),
}

impl Key {
    fn of(byte: u8, empty: bool) -> Self {
        match byte {
            b'\r' | b'\n' => Self::Enter,
            0x03 => Self::Abort,
            0x04 if empty => Self::Abort,
            0x04 => Self::Enter,
            0x08 | 0x7f => Self::Erase,
            0x15 => Self::EraseAll,
            byte => Self::Byte(byte),
        }
    }
}

/// Takes the last character away, all bytes of it.
fn erase(bytes: &mut Vec<u8>) {
    while bytes.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
}

/// While this lives, the terminal shows nothing that is typed, and hands over each byte, Ctrl-C too: a signal would end
/// the program with the terminal left like that.
struct Unseen {
    before: Termios,
}

impl Unseen {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut unseen = before.clone();
        unseen.local_modes -= LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG;
        unseen.special_codes[SpecialCodeIndex::VMIN] = 1;
        unseen.special_codes[SpecialCodeIndex::VTIME] = 0;
        // What was typed before the prompt was seen, so it is thrown away.
        tcsetattr(io::stdin(), OptionalActions::Flush, &unseen)?;
        Ok(Self { before })
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        for (byte, empty, key) in [
            (b'a', true, Key::Byte(b'a')),
            (0xc3, false, Key::Byte(0xc3)),
            (b'\n', true, Key::Enter),
            (b'\r', false, Key::Enter),
            (0x03, false, Key::Abort),
            (0x04, true, Key::Abort),
            (0x04, false, Key::Enter),
            (0x7f, false, Key::Erase),
            (0x15, false, Key::EraseAll),
        ] {
            assert_eq!(Key::of(byte, empty), key, "{byte:#x}");
        }
    }

    #[test]
    fn a_character_goes_as_a_whole() {
        let mut bytes = "aé日".as_bytes().to_vec();
        for left in ["aé", "a", "", ""] {
            erase(&mut bytes);
            assert_eq!(bytes, left.as_bytes());
        }
    }
}
