//! A terminal: the program at one end, an emulator at the other.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::num::NonZeroU16;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use tokio::process::{Child, Command};

/// A pseudo-terminal with an emulator that shows what a person would see.
pub struct Pty {
    master: File,
    inside: Arc<Mutex<Inside>>,
    reader: std::thread::JoinHandle<()>,
}

struct Inside {
    emulator: vt100::Parser,
    bytes: Vec<u8>,
}

impl fmt::Debug for Pty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pty").finish_non_exhaustive()
    }
}

fn size(rows: u16, columns: u16) -> (NonZeroU16, NonZeroU16) {
    (NonZeroU16::new(rows).unwrap(), NonZeroU16::new(columns).unwrap())
}

impl Pty {
    /// Starts a program in a terminal of this size: both of its output streams go there.
    pub fn spawn(command: &mut Command, rows: u16, columns: u16) -> (Self, Child) {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        let master = File::from(master);
        let (tall, wide) = size(rows, columns);
        let inside = Arc::new(Mutex::new(Inside { emulator: vt100::Parser::new(tall, wide, 1000), bytes: Vec::new() }));
        resize(&master, rows, columns);
        let (mut from, into) = (master.try_clone().unwrap(), Arc::clone(&inside));
        let child = command.stdout(Stdio::from(slave.try_clone().unwrap())).stderr(Stdio::from(slave)).spawn().unwrap();
        // The command keeps its ends of the terminal open until they are replaced: without this the end would never come.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // When the last program has closed its end, reading fails.
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                let mut inside = into.lock().unwrap();
                inside.emulator.process(&buffer[..count]);
                inside.bytes.extend(&buffer[..count]);
            }
        });
        (Self { master, inside, reader }, child)
    }

    /// Another size, as by dragging the window's corner.
    pub fn resize(&self, rows: u16, columns: u16) {
        let (tall, wide) = size(rows, columns);
        self.inside.lock().unwrap().emulator.set_size(tall, wide);
        resize(&self.master, rows, columns);
    }

    /// What is on the screen now.
    pub fn screen(&self) -> String {
        text(&self.inside.lock().unwrap().emulator)
    }

    /// What is on the screen after the program's end, and every byte that it wrote.
    pub fn end(self) -> (String, String) {
        self.reader.join().unwrap();
        let inside = self.inside.lock().unwrap();
        (text(&inside.emulator), String::from_utf8(inside.bytes.clone()).unwrap())
    }
}

fn resize(master: &File, rows: u16, columns: u16) {
    tcsetwinsize(master, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
}

fn text(emulator: &vt100::Parser) -> String {
    let columns = emulator.screen().size().1.get();
    let rows: Vec<String> = emulator.screen().rows(0, columns).map(|row| row.trim_end().to_owned()).collect();
    rows.join("\n").trim_end().to_owned()
}
