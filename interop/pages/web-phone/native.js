// The adapter inside JsSIP 3.0.13 breaks getStats; keep the browser's own.
window.nativeStats = RTCPeerConnection.prototype.getStats;
// What JsSIP says goes to the console, as the book shows it.
localStorage.setItem('debug', 'JsSIP:*');
