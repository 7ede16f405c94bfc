package strictjson_test

import (
	"os"
	"testing"

	"github.com/orchard9/engram-go/internal/leak"
)

func TestMain(m *testing.M) { os.Exit(leak.Main(m)) }
