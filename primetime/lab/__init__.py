"""No device at hand: emulated boards with KVM inside, over SSH like real ones; they say nothing about speed."""
