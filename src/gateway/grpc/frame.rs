//! gRPC's frame around a message: a flag for compression, the length in four bytes, the message (grpc/doc/PROTOCOL-HTTP2.md).

use bytes::{BufMut as _, Bytes, BytesMut};

const HEAD: usize = 5;

/// A body that is not one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FrameError {
    /// Fewer bytes than it says.
    #[error("it ends within its frame")]
    Cut,
    /// Compressed, which nobody asked for.
    #[error("it is compressed, which was not asked for")]
    Compressed,
    /// Bytes after the message; the call has one answer.
    #[error("there is more than one message in it")]
    More,
}

/// A message, framed. One of 4 GiB or more has no frame; a request's JSON is in memory several times before it gets there.
pub(super) fn framed(message: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(HEAD + message.len());
    out.put_u8(0);
    out.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    out.put_slice(message);
    out.freeze()
}

/// The one message of a body.
pub(super) fn unframed(body: &[u8]) -> Result<&[u8], FrameError> {
    let Some(([flag, length @ ..], rest)) = body.split_first_chunk::<HEAD>() else { return Err(FrameError::Cut) };
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    match rest.len().cmp(&length) {
        _ if *flag != 0 => Err(FrameError::Compressed),
        std::cmp::Ordering::Less => Err(FrameError::Cut),
        std::cmp::Ordering::Equal => Ok(rest),
        std::cmp::Ordering::Greater => Err(FrameError::More),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_server_may_send_wrongly() {
        let whole = framed(b"abc");
        assert_eq!(whole.as_ref(), b"\0\0\0\0\x03abc");
        for end in 0..whole.len() {
            assert_eq!(unframed(&whole[..end]), Err(FrameError::Cut), "cut after {end} bytes");
        }
        assert_eq!(unframed(b"\x01\0\0\0\x03abc"), Err(FrameError::Compressed));
        assert_eq!(unframed(b"\0\xff\xff\xff\xffabc"), Err(FrameError::Cut));
        assert_eq!(unframed(b"\0\0\0\0\x03abc\0\0\0\0\0"), Err(FrameError::More));
    }

    proptest! {
        #[test]
        fn a_message_comes_out_as_it_went_in(message: Vec<u8>) {
            let body = framed(&message);
            prop_assert_eq!(unframed(&body), Ok(message.as_slice()));
        }
    }
}
