//go:build !linux

package wholefile

func hugePages([]byte) {}
