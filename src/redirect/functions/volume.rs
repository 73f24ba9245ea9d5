//! Bytes read and written, sent and received through descriptors that a record is known of, and what closes them.
#![expect(unsafe_code, reason = "functions of the C library, called with what they were called with")]

use std::ffi::{c_int, c_uint, c_void};

use libc::{DIR, FILE, iovec, mmsghdr, msghdr, off_t, sockaddr, socklen_t, ssize_t};

use super::super::stubs::{Function, redirect, redirect_six, six, up_to_five};
use super::super::{descriptors, talks};
use super::files::descriptor_of;
use super::network::{is_refused_pieces, is_refused_speech, left, pieces};

macro_rules! incoming {
    ($function:ident, $symbol:literal, ($descriptor:ident: c_int, $($more:ident: $type:ty),*)) => {
        redirect!($function, $symbol, ($descriptor: c_int $(, $more: $type)*) -> ssize_t, |caller, real| {
            let _ = caller;
            let count = real($descriptor $(, $more)*);
            descriptors::moved($descriptor, 0, count);
            count
        });
    };
    ($function:ident, $symbol:literal, ($descriptor:ident: c_int, $($more:ident: $type:ty),*), $data:ident) => {
        redirect!($function, $symbol, ($descriptor: c_int $(, $more: $type)*) -> ssize_t, |caller, real| {
            let _ = caller;
            let count = real($descriptor $(, $more)*);
            descriptors::moved($descriptor, 0, count);
            heard($descriptor, $data, count);
            count
        });
    };
}

macro_rules! outgoing {
    ($function:ident, $symbol:literal, ($descriptor:ident: c_int, $($more:ident: $type:ty),*)) => {
        redirect!($function, $symbol, ($descriptor: c_int $(, $more: $type)*) -> ssize_t, |caller, real| {
            let _ = caller;
            let count = real($descriptor $(, $more)*);
            descriptors::moved($descriptor, count, 0);
            count
        });
    };
}

incoming!(READ, "read", (from: c_int, data: *mut c_void, size: usize), data);
incoming!(READ_CHK, "__read_chk", (from: c_int, data: *mut c_void, size: usize, room: usize));
incoming!(PREAD, "pread", (from: c_int, data: *mut c_void, size: usize, at: off_t));
incoming!(PREAD64, "pread64", (from: c_int, data: *mut c_void, size: usize, at: i64));
incoming!(READV, "readv", (from: c_int, parts: *const iovec, count: c_int));
incoming!(PREADV, "preadv", (from: c_int, parts: *const iovec, count: c_int, at: off_t));
incoming!(PREADV64, "preadv64", (from: c_int, parts: *const iovec, count: c_int, at: i64));
incoming!(RECV, "recv", (from: c_int, data: *mut c_void, size: usize, flags: c_int), data);
incoming!(RECV_CHK, "__recv_chk", (from: c_int, data: *mut c_void, size: usize, room: usize, flags: c_int));
redirect!(RECVMSG, "recvmsg", (from: c_int, message: *mut msghdr, flags: c_int) -> ssize_t, |caller, real| {
    let _ = caller;
    let count = real(from, message, flags);
    descriptors::moved(from, 0, count);
    // SAFETY: the call went well where it received something: its first part holds that, or the start of it.
    let first = unsafe { message.as_ref().filter(|_| count > 0).and_then(|message| message.msg_iov.as_ref()) };
    if let Some(part) = first {
        heard(from, part.iov_base, count.min(part.iov_len.cast_signed()));
    }
    count
});
redirect!(WRITE, "write", (to: c_int, data: *const c_void, size: usize) -> ssize_t, |caller, real| {
    if is_refused_speech(caller, to, data, size) {
        -1
    } else {
        let count = real(to, data, size);
        talks::unsent(to, left(size, count));
        descriptors::moved(to, count, 0);
        count
    }
});
redirect!(SEND, "send", (to: c_int, data: *const c_void, size: usize, flags: c_int) -> ssize_t, |caller, real| {
    if is_refused_speech(caller, to, data, size) {
        -1
    } else {
        let count = real(to, data, size, flags);
        talks::unsent(to, left(size, count));
        descriptors::moved(to, count, 0);
        count
    }
});
redirect!(WRITEV, "writev", (to: c_int, parts: *const iovec, count: c_int) -> ssize_t, |caller, real| {
    // SAFETY: what the program gives to writev(2).
    let (pieces, size) = unsafe { pieces(parts, usize::try_from(count).unwrap_or(0)) };
    if is_refused_pieces(caller, to, pieces) {
        -1
    } else {
        let sent = real(to, parts, count);
        talks::unsent(to, left(size, sent));
        descriptors::moved(to, sent, 0);
        sent
    }
});
outgoing!(PWRITE, "pwrite", (to: c_int, data: *const c_void, size: usize, at: off_t));
outgoing!(PWRITE64, "pwrite64", (to: c_int, data: *const c_void, size: usize, at: i64));
outgoing!(PWRITEV, "pwritev", (to: c_int, parts: *const iovec, count: c_int, at: off_t));
incoming!(PREADV2, "preadv2", (from: c_int, parts: *const iovec, count: c_int, at: off_t, flags: c_int));
incoming!(PREADV64V2, "preadv64v2", (from: c_int, parts: *const iovec, count: c_int, at: i64, flags: c_int));
outgoing!(PWRITEV2, "pwritev2", (to: c_int, parts: *const iovec, count: c_int, at: off_t, flags: c_int));
outgoing!(PWRITEV64V2, "pwritev64v2", (to: c_int, parts: *const iovec, count: c_int, at: i64, flags: c_int));
outgoing!(PWRITEV64, "pwritev64", (to: c_int, parts: *const iovec, count: c_int, at: i64));

redirect_six!(RECVFROM, "recvfrom",
    (from: c_int, data: *mut c_void, size: usize, flags: c_int, address: *mut sockaddr, length: *mut socklen_t) -> ssize_t, |caller, real| {
    let _ = caller;
    let count = real(from, data, size, flags, address, length);
    descriptors::moved(from, 0, count);
    heard(from, data, count);
    count
});
redirect!(RECVMMSG, "recvmmsg",
    (from: c_int, messages: *mut mmsghdr, count: c_uint, flags: c_int, timeout: *mut c_void) -> c_int, |caller, real| {
    let _ = caller;
    let received = real(from, messages, count, flags, timeout);
    for index in 0..usize::try_from(received).unwrap_or(0) {
        // SAFETY: the call went well for so many.
        let length = unsafe { (*messages.add(index)).msg_len };
        descriptors::moved(from, 0, length as isize);
    }
    received
});
redirect_six!(SPLICE, "splice",
    (from: c_int, from_at: *mut i64, to: c_int, to_at: *mut i64, size: usize, flags: c_uint) -> ssize_t, |caller, real| {
    let _ = caller;
    let count = real(from, from_at, to, to_at, size, flags);
    both(from, to, count)
});
redirect!(SENDFILE, "sendfile",
    (to: c_int, from: c_int, at: *mut off_t, size: usize) -> ssize_t, |caller, real| {
    let _ = caller;
    let count = real(to, from, at, size);
    both(from, to, count)
});
redirect!(SENDFILE64, "sendfile64",
    (to: c_int, from: c_int, at: *mut i64, size: usize) -> ssize_t, |caller, real| {
    let _ = caller;
    let count = real(to, from, at, size);
    both(from, to, count)
});
redirect_six!(COPY_FILE_RANGE, "copy_file_range",
    (from: c_int, from_at: *mut i64, to: c_int, to_at: *mut i64, size: usize, flags: c_uint) -> ssize_t, |caller, real| {
    let _ = caller;
    let count = real(from, from_at, to, to_at, size, flags);
    both(from, to, count)
});
redirect!(CLOSE, "close", (descriptor: c_int) -> c_int, |caller, real| {
    let _ = caller;
    closes(descriptor);
    real(descriptor)
});
redirect!(FCLOSE, "fclose", (stream: *mut FILE) -> c_int, |caller, real| {
    let _ = caller;
    closes(descriptor_of(stream));
    real(stream)
});
redirect!(CLOSEDIR, "closedir", (directory: *mut DIR) -> c_int, |caller, real| {
    let _ = caller;
    if !directory.is_null() {
        // SAFETY: what the program gives to closedir(3).
        closes(unsafe { libc::dirfd(directory) });
    }
    real(directory)
});
redirect!(CLOSE_RANGE, "close_range", (first: c_uint, last: c_uint, flags: c_int) -> c_int, |caller, real| {
    let _ = caller;
    if flags & libc::CLOSE_RANGE_CLOEXEC.cast_signed() == 0 {
        closes_from(first, last);
    }
    real(first, last, flags)
});
redirect!(CLOSEFROM, "closefrom", (first: c_int) -> (), |caller, real| {
    let _ = caller;
    closes_from(u32::try_from(first).unwrap_or(0), u32::MAX);
    real(first);
});
redirect!(FCNTL, "fcntl", (descriptor: c_int, command: c_int, argument: usize) -> c_int, |caller, real| {
    let _ = caller;
    controlled(descriptor, command, real(descriptor, command, argument))
});
redirect!(FCNTL64, "fcntl64", (descriptor: c_int, command: c_int, argument: usize) -> c_int, |caller, real| {
    let _ = caller;
    controlled(descriptor, command, real(descriptor, command, argument))
});
redirect!(DUP, "dup", (descriptor: c_int) -> c_int, |caller, real| {
    let _ = caller;
    copied(descriptor, real(descriptor))
});
redirect!(DUP2, "dup2", (descriptor: c_int, new: c_int) -> c_int, |caller, real| {
    let _ = caller;
    copied(descriptor, real(descriptor, new))
});
redirect!(DUP3, "dup3", (descriptor: c_int, new: c_int, flags: c_int) -> c_int, |caller, real| {
    let _ = caller;
    copied(descriptor, real(descriptor, new, flags))
});
redirect!(SOCKET, "socket", (domain: c_int, kind: c_int, protocol: c_int) -> c_int, |caller, real| {
    let _ = caller;
    fresh(real(domain, kind, protocol))
});
redirect!(ACCEPT, "accept",
    (socket: c_int, address: *mut sockaddr, length: *mut socklen_t) -> c_int, |caller, real| {
    let _ = caller;
    fresh(real(socket, address, length))
});
redirect!(ACCEPT4, "accept4",
    (socket: c_int, address: *mut sockaddr, length: *mut socklen_t, flags: c_int) -> c_int, |caller, real| {
    let _ = caller;
    fresh(real(socket, address, length, flags))
});

/// Takes what was received, where names are listened to.
fn heard(from: c_int, data: *const c_void, count: ssize_t) {
    talks::hears(from, || {
        let count = usize::try_from(count).ok().filter(|count| *count > 0 && !data.is_null())?;
        // SAFETY: the call stored so many bytes there.
        Some(unsafe { std::slice::from_raw_parts(data.cast::<u8>(), count) }.to_vec())
    });
}

fn both(from: c_int, to: c_int, count: ssize_t) -> ssize_t {
    descriptors::moved(from, 0, count);
    descriptors::moved(to, count, 0);
    count
}

/// Forgets a descriptor before it is closed: another thread may get the number at once.
fn closes(descriptor: c_int) {
    descriptors::stands_for(descriptor, 0);
    talks::ends(descriptor);
}

fn closes_from(first: c_uint, last: c_uint) {
    for descriptor in (first..=last).take_while(|descriptor| (*descriptor as usize) < descriptors::FOLLOWED) {
        closes(descriptor.cast_signed());
    }
}

fn controlled(descriptor: c_int, command: c_int, result: c_int) -> c_int {
    if matches!(command, libc::F_DUPFD | libc::F_DUPFD_CLOEXEC) { copied(descriptor, result) } else { result }
}

fn copied(descriptor: c_int, copy: c_int) -> c_int {
    if copy != descriptor {
        descriptors::stands_for(copy, descriptors::key_of(descriptor).unwrap_or(0));
        talks::ends(copy);
    }
    copy
}

fn fresh(descriptor: c_int) -> c_int {
    descriptors::stands_for(descriptor, 0);
    talks::ends(descriptor);
    descriptor
}

pub static ALL: &[&Function] = &[
    &READ,
    &READ_CHK,
    &PREAD,
    &PREAD64,
    &READV,
    &PREADV,
    &PREADV64,
    &RECV,
    &RECV_CHK,
    &RECVMSG,
    &WRITE,
    &PWRITE,
    &PWRITE64,
    &WRITEV,
    &PWRITEV,
    &PWRITEV64,
    &SEND,
    &RECVFROM,
    &SENDFILE,
    &SENDFILE64,
    &COPY_FILE_RANGE,
    &SPLICE,
    &PREADV2,
    &PREADV64V2,
    &PWRITEV2,
    &PWRITEV64V2,
    &RECVMMSG,
    &CLOSE,
    &FCLOSE,
    &CLOSEDIR,
    &CLOSE_RANGE,
    &CLOSEFROM,
    &FCNTL,
    &FCNTL64,
    &DUP,
    &DUP2,
    &DUP3,
    &SOCKET,
    &ACCEPT,
    &ACCEPT4,
];
