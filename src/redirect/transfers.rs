//! Bytes of what was opened in an earlier segment, or by the parent of a fork's child: a record of their own, in the
//! segment that is open now.
#![expect(unsafe_code, reason = "asks the system for a socket's peer")]

use std::borrow::Cow;
use std::ffi::c_int;
use std::mem::MaybeUninit;

use gnomon_core::event::{FilePath, Target};
use gnomon_core::process::descriptor_path;
use gnomon_core::spool::segment::Change;
use libc::{sockaddr, sockaddr_storage, socklen_t};

use super::functions::network::Address;
use super::{call, descriptors};

/// Counts what happened on a descriptor whose record, that of `key`, cannot be added to; and lets further bytes be
/// counted in the same place.
#[cold]
pub fn goes_on(descriptor: c_int, key: u64, change: &Change) {
    let new = call::with_recorder(|recorder| {
        let mut storage = MaybeUninit::<sockaddr_storage>::zeroed();
        match peer(descriptor, &mut storage) {
            Some(address) => recorder.transfer(&address.target(), change),
            None => {
                let path = descriptor_path(descriptor).unwrap_or_default();
                let target = Target::Path { path: FilePath::current(Cow::Owned(path)), destination: None };
                recorder.transfer(&target, change)
            }
        }
    });
    // Where nothing could be stored, that loss was counted once.
    descriptors::stands_now_for(descriptor, key, new.unwrap_or(0));
}

/// What a socket is connected to, read into `storage`.
fn peer(descriptor: c_int, storage: &mut MaybeUninit<sockaddr_storage>) -> Option<Address<'_>> {
    let mut length = size_of::<sockaddr_storage>() as socklen_t;
    let address = storage.as_mut_ptr().cast::<sockaddr>();
    // SAFETY: as much room as it says.
    let result = unsafe { libc::getpeername(descriptor, address, &raw mut length) };
    // SAFETY: all of it was zeroed, and the call stored so many bytes.
    if result == 0 { unsafe { Address::read(address, length as usize) } } else { None }
}
