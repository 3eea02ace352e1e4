//! The part of SPDY/3.1 that a port-forward needs: open a pair of streams, data both ways, a ping.
//!
//! Header blocks are zlib streams that live as long as the connection. Ours are made of stored blocks, which need no compressor; the
//! server's (of SYN_REPLY) hold nothing that we need, so they are passed over, and with them the decompressor and its dictionary.

use std::io;

use bytes::{Buf as _, Bytes, BytesMut};

/// The last frame of a stream's direction.
pub(super) const FIN: u8 = 1;
/// Bytes before the payload of a data frame.
pub(super) const DATA_HEADER: usize = 8;
/// A frame's length field has 24 bits; what kubelets send is 32 KiB at most.
const LARGEST: usize = 1 << 22;

/// What the other side said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// Bytes of a stream, and whether they are its last ones.
    Data { stream: u32, fin: bool, bytes: Bytes },
    /// A stream was accepted.
    Reply { stream: u32 },
    /// A stream was ended by force.
    Reset { stream: u32, code: u32 },
    /// An answer to our ping, or a ping.
    Ping { id: u32 },
    /// No more streams.
    GoAway,
    /// Settings, windows, headers: nothing to do.
    Other,
}

/// Takes one whole frame off the front, if it is there.
pub(super) fn parse(buffer: &mut BytesMut) -> io::Result<Option<Frame>> {
    if buffer.len() < DATA_HEADER {
        return Ok(None);
    }
    let (first, flags) = (u32::from_be_bytes([buffer[0], buffer[1], buffer[2], buffer[3]]), buffer[4]);
    let length = usize::from(buffer[5]) << 16 | usize::from(buffer[6]) << 8 | usize::from(buffer[7]);
    if length > LARGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a frame of {length} bytes")));
    }
    if buffer.len() < DATA_HEADER + length {
        buffer.reserve(DATA_HEADER + length - buffer.len());
        return Ok(None);
    }
    buffer.advance(DATA_HEADER);
    let mut payload = buffer.split_to(length).freeze();
    let control = first & 0x8000_0000 != 0;
    if !control {
        return Ok(Some(Frame::Data { stream: first, fin: flags & FIN != 0, bytes: payload }));
    }
    let mut number = || if payload.len() >= 4 { Some(payload.get_u32() & 0x7fff_ffff) } else { None };
    Ok(Some(match first & 0xffff {
        2 => number().map_or(Frame::Other, |stream| Frame::Reply { stream }),
        3 => match (number(), number()) {
            (Some(stream), Some(code)) => Frame::Reset { stream, code },
            _ => Frame::Other,
        },
        6 => number().map_or(Frame::Other, |id| Frame::Ping { id }),
        7 => Frame::GoAway,
        _ => Frame::Other,
    }))
}

/// The eight bytes before a data frame's payload; `length` is at most 24 bits.
pub(super) fn data_header(stream: u32, fin: bool, length: usize) -> [u8; DATA_HEADER] {
    let (stream, length) = (stream.to_be_bytes(), u32::try_from(length).unwrap_or(0).to_be_bytes());
    [stream[0], stream[1], stream[2], stream[3], if fin { FIN } else { 0 }, length[1], length[2], length[3]]
}

/// A ping; ours have odd numbers.
pub(super) fn ping(id: u32) -> [u8; 12] {
    let id = id.to_be_bytes();
    [0x80, 3, 0, 6, 0, 0, 0, 4, id[0], id[1], id[2], id[3]]
}

/// Writes SYN_STREAMs; the first one of a connection begins the zlib stream of its headers.
#[derive(Debug, Default)]
pub(super) struct Opener {
    begun: bool,
}

impl Opener {
    /// Asks for a stream. `fin`: we will send nothing on it.
    pub(super) fn open(&mut self, to: &mut Vec<u8>, stream: u32, fin: bool, headers: &[(&str, &str)]) {
        let mut block = Vec::with_capacity(96);
        let number = |block: &mut Vec<u8>, value: usize| block.extend(u32::try_from(value).unwrap_or(0).to_be_bytes());
        number(&mut block, headers.len());
        for text in headers.iter().flat_map(|(name, value)| [name, value]) {
            number(&mut block, text.len());
            block.extend(text.as_bytes());
        }
        let mut zlib = Vec::with_capacity(block.len() + 12);
        if !self.begun {
            zlib.extend([0x78, 0x01]);
            self.begun = true;
        }
        let length = u16::try_from(block.len()).unwrap_or(0);
        zlib.push(0);
        zlib.extend(length.to_le_bytes());
        zlib.extend((!length).to_le_bytes());
        zlib.extend(block);
        // An empty stored block: the reader gives out what it has without waiting for more.
        zlib.extend([0, 0, 0, 0xff, 0xff]);
        let length = u32::try_from(zlib.len() + 10).unwrap_or(0).to_be_bytes();
        to.extend([0x80, 3, 0, 1, if fin { FIN } else { 0 }, length[1], length[2], length[3]]);
        to.extend(stream.to_be_bytes());
        to.extend([0; 6]);
        to.extend(zlib);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    /// The header blocks of a connection are one zlib stream, whatever number of frames it comes in.
    #[test]
    fn header_blocks_are_one_zlib_stream() {
        let (mut opener, mut zlib) = (Opener::default(), Vec::new());
        for (stream, kind) in [(1, "error"), (3, "data")] {
            let mut frame = Vec::new();
            opener.open(&mut frame, stream, stream == 1, &[("streamtype", kind), ("port", "8080")]);
            assert_eq!(frame[..5], [0x80, 3, 0, 1, u8::from(stream == 1)]);
            assert_eq!(frame.len(), 8 + usize::from(frame[6]) * 256 + usize::from(frame[7]));
            assert_eq!(frame[8..12], u32::to_be_bytes(stream));
            zlib.extend(&frame[18..]);
        }
        let mut text = vec![0; 4 + 4 + 10 + 4 + 5 + 4 + 4 + 4 + 4];
        let mut reader = flate2::read::ZlibDecoder::new(zlib.as_slice());
        reader.read_exact(&mut text).unwrap();
        assert!(text.ends_with(b"\0\0\0\x04port\0\0\0\x048080"), "{text:?}");
        let mut second = vec![0; text.len() - 1];
        reader.read_exact(&mut second).unwrap();
        assert!(second.starts_with(b"\0\0\0\x02\0\0\0\x0astreamtype\0\0\0\x04data"), "{second:?}");
    }

    #[test]
    fn frames_come_in_any_pieces() {
        let mut bytes = data_header(5, true, 3).to_vec();
        bytes.extend(b"abc");
        bytes.extend(ping(7));
        bytes.extend([0x80, 3, 0, 3, 0, 0, 0, 8, 0, 0, 0, 5, 0, 0, 0, 2, 0x80, 3, 0, 4, 0, 0, 0, 0]);
        let (mut buffer, mut seen) = (BytesMut::new(), Vec::new());
        for byte in bytes {
            buffer.extend([byte]);
            seen.extend(parse(&mut buffer).unwrap());
        }
        let data = Frame::Data { stream: 5, fin: true, bytes: Bytes::from_static(b"abc") };
        assert_eq!(seen, [data, Frame::Ping { id: 7 }, Frame::Reset { stream: 5, code: 2 }, Frame::Other]);
        assert!(parse(&mut BytesMut::from(&[0, 0, 0, 1, 0, 0xff, 0xff, 0xff][..])).is_err());
    }
}
